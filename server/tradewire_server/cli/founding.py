"""The first start of a venue: assets, instruments, accounts, money and keys that a newcomer needs.

Everything is a command of the sequencer, as the admin service would send it, and only what is
missing is asked for: a second start changes nothing. Private keys never reach the journal; they are
made here and stand in one file that only its owner can read. When that file is lost, so are the
keys: new ones are made, and the lost ones revoked.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tradewire_server.api.key_messages import record_of
from tradewire_server.app import Application
from tradewire_server.auth.encoding import encode_base64url
from tradewire_server.auth.provisioning import KeyRequest
from tradewire_server.cli.connection import ADMIN_ACCOUNT
from tradewire_server.cli.failure import CommandFailed
from tradewire_server.cli.venue_files import (
    ADMIN_FILE,
    DEMO_FILE,
    DemoKey,
    damaged,
    read_json,
    write_json,
)
from tradewire_server.engine.commands import (
    Command,
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    Refused,
    RevokeKey,
)
from tradewire_server.engine.instrument import Instrument

LANE = "founding"
LABEL = "tradewire up"
OPEN_ORDERS_MAX = 10_000_000
MAKER_ACCOUNT = "maker"
TAKER_ACCOUNT = "taker"
REPLAY_ACCOUNT = "replay"

ASSETS = {"USD": 10, "BTC": 8, "ETH": 8}
_UNITS = 10 ** ASSETS["USD"]
BTC_USD = Instrument(
    symbol="BTC-USD",
    base_asset="BTC",
    quote_asset="USD",
    base_precision=ASSETS["BTC"],
    quote_precision=ASSETS["USD"],
    tick_units=1,
    tick_decimals=2,
    lot_units=1,
    lot_decimals=6,
    minimum_quantity_lots=10,
    maximum_quantity_lots=1_000 * 10**6,
    minimum_notional=1 * _UNITS,
    maximum_notional=10_000_000 * _UNITS,
    price_band_ppm=1_000_000,
    market_protection_ppm=50_000,
)
ETH_USD = BTC_USD._replace(
    symbol="ETH-USD",
    base_asset="ETH",
    base_precision=ASSETS["ETH"],
    lot_decimals=5,
    maximum_quantity_lots=10_000 * 10**5,
)
INSTRUMENTS = (BTC_USD, ETH_USD)

_CUSTOMER_SCOPES = ("read", "trade", "transfer")
_ROBOT_SCOPES = ("read", "trade")
_CUSTOMER_FUNDS = (("USD", "1000000"), ("BTC", "10"), ("ETH", "100"))
_ROBOT_FUNDS = (("USD", "400000000"), ("BTC", "5000"), ("ETH", "100000"))


class FoundingAccount(NamedTuple):
    """An account of the first start. Rates are in units of 1e-7; customers pay the default fees."""

    name: str
    scopes: tuple[str, ...]
    funds: tuple[tuple[str, str], ...] = ()
    maker_rate: int = 0
    taker_rate: int = 0
    open_order_limit: int = OPEN_ORDERS_MAX
    rate_limit_exempt: bool = True


ADMIN = FoundingAccount(ADMIN_ACCOUNT, ("admin",), open_order_limit=1, rate_limit_exempt=False)
ACCOUNTS = (
    FoundingAccount("demo-1", _CUSTOMER_SCOPES, _CUSTOMER_FUNDS, 10_000, 20_000, 1_000, False),
    FoundingAccount("demo-2", _CUSTOMER_SCOPES, _CUSTOMER_FUNDS, 10_000, 20_000, 1_000, False),
    FoundingAccount(MAKER_ACCOUNT, _ROBOT_SCOPES, _ROBOT_FUNDS),
    FoundingAccount(TAKER_ACCOUNT, _ROBOT_SCOPES, _ROBOT_FUNDS),
    FoundingAccount(REPLAY_ACCOUNT, _ROBOT_SCOPES),
)


@dataclass(kw_only=True)
class Founded:
    """What a start found or made."""

    keys: dict[str, DemoKey] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


async def found_demo(app: Application) -> Founded:
    """Make what `tradewire up` needs and is missing; the keys of demo.json that still hold stay."""
    known = _read_demo_keys(app.settings.data_dir / DEMO_FILE)
    founded = Founded()
    lost = known is None and bool(app.state.keys)
    for asset, precision in ASSETS.items():
        if asset not in app.state.assets:
            await _submit(app, CreateAsset(asset, precision))
    for instrument in INSTRUMENTS:
        if instrument.symbol not in app.state.markets:
            await _submit(app, CreateInstrument(instrument))
    for account in (ADMIN, *ACCOUNTS):
        await _open_account(app, account)
        key = (known or {}).get(account.name)
        if key is None or not _holds(app, key):
            if lost:
                await _revoke_lost(app, account.name)
            key = await _make_key(app, account)
        founded.keys[account.name] = key
    if lost:
        founded.notes.append(
            f"{DEMO_FILE} was not there: the accounts have new keys, the former ones are revoked"
        )
    elif known and founded.keys != known:
        founded.notes.append(f"keys in {DEMO_FILE} did not hold any more and were made anew")
    return founded


def save_demo(data_dir: Path, founded: Founded, *, environment: str, grpc: str, admin: str) -> None:
    """Write demo.json, unless it says so already."""
    content = {
        "environment": environment,
        "grpc": grpc,
        "admin": admin,
        "accounts": [founded.keys[account.name].as_json() for account in ACCOUNTS],
        "admin_key": founded.keys[ADMIN.name].as_json(),
    }
    write_json(data_dir / DEMO_FILE, content)


async def found_admin(app: Application, *, new_key: bool) -> Founded:
    """Make the admin account and its first key, or one more key when that is asked for."""
    founded = Founded()
    await _open_account(app, ADMIN)
    now_ns = app.clock_ns()
    if app.ring.live_count(ADMIN.name, now_ns) and not new_key:
        return founded
    path = app.settings.data_dir / ADMIN_FILE
    key = await _make_key(app, ADMIN)
    write_json(path, key.as_json())
    founded.keys[ADMIN.name] = key
    founded.notes.append(f"a new admin key is in {path}; who reads it operates the venue")
    return founded


async def _open_account(app: Application, account: FoundingAccount) -> None:
    state = app.state.accounts.get(account.name)
    if state is None:
        await _submit(
            app,
            CreateAccount(
                account.name,
                account.maker_rate,
                account.taker_rate,
                account.open_order_limit,
                account.rate_limit_exempt,
            ),
        )
        state = app.state.accounts[account.name]
    if state.ledger_sequence < len(account.funds):
        # Of a start that was cut short, what it had done is done once: the ids are the same.
        for asset, amount in account.funds:
            await _submit(app, Deposit(account.name, asset, amount, f"founding-{asset}"))


async def _make_key(app: Application, account: FoundingAccount) -> DemoKey:
    pair = Ed25519PrivateKey.generate()
    created = app.maker.create(
        KeyRequest(
            account=account.name,
            scopes=frozenset(account.scopes),
            public_key=pair.public_key().public_bytes_raw(),
            label=LABEL,
        ),
        creator_scopes=None,
        now_ns=app.clock_ns(),
    )
    await _submit(app, CreateKey(record_of(created.key)))
    return DemoKey(
        account=account.name,
        api_key=created.key.key_id,
        private_key=encode_base64url(pair.private_bytes_raw()),
        scopes=account.scopes,
    )


async def _revoke_lost(app: Application, account: str) -> None:
    now_ns = app.clock_ns()
    for key in app.ring.of_account(account):
        if key.label == LABEL and key.is_live(now_ns):
            await _submit(app, RevokeKey(account, key.key_id))


def _holds(app: Application, key: DemoKey) -> bool:
    """Tell whether the venue still takes a key of the file."""
    known = app.ring.get(key.api_key)
    return known is not None and known.account == key.account and known.is_live(app.clock_ns())


def _read_demo_keys(path: Path) -> dict[str, DemoKey] | None:
    content = read_json(path)
    if content is None:
        return None
    try:
        entries: list[dict[str, Any]] = [*content["accounts"], content["admin_key"]]
        keys = map(DemoKey.from_json, entries)
        return {key.account: key for key in keys}
    except (KeyError, TypeError) as error:
        raise damaged(path, error) from error


async def _submit(app: Application, command: Command) -> None:
    outcome = await app.sequencer.submit(command, lane=LANE)
    if isinstance(outcome, Refused):
        raise CommandFailed(f"the venue could not be set up: {outcome.text}")
