"""Commands of those who run the venue, and of owners to their keys: assets, instruments, accounts,
money.
"""

from tradewire_server.engine.commands import (
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    Refused,
    RevokeKey,
    SetInstrumentStatus,
    SetKeyExpiry,
    SetKillSwitch,
    UpdateAccount,
    Withdraw,
)
from tradewire_server.engine.decimals import parse_decimal
from tradewire_server.engine.events import (
    AccountUpdated,
    AssetCreated,
    Deposited,
    InstrumentListed,
    InstrumentStatusChanged,
    KeyStored,
    KillSwitchSet,
    Withdrawn,
)
from tradewire_server.engine.instrument import AMOUNT_BOUND
from tradewire_server.engine.placing import Events
from tradewire_server.engine.refusals import (
    TIME_BOUND_NS,
    bad_rates,
    exists,
    no_account,
    no_asset,
    no_instrument,
    no_key,
    too_late,
)
from tradewire_server.engine.state import AccountState, State
from tradewire_server.engine.vocabulary import (
    Reason,
)
from tradewire_server.engine.working import cancel_each

LIVE_KEYS_MAX = 20


def create_asset(state: State, command: CreateAsset, now_ns: int) -> Events | Refused:
    """Name an asset; a repeat with equal content changes nothing."""
    known = state.assets.get(command.asset)
    if known == command.precision:
        return []
    if known is not None:
        return exists(f"asset {command.asset} exists with precision {known}")
    return [AssetCreated(command.asset, command.precision)]


def create_instrument(state: State, command: CreateInstrument, now_ns: int) -> Events | Refused:
    """List an instrument; a repeat with equal content changes nothing."""
    instrument = command.instrument
    for asset, precision in (
        (instrument.base_asset, instrument.base_precision),
        (instrument.quote_asset, instrument.quote_precision),
    ):
        known = state.assets.get(asset)
        if known is None:
            return no_asset(asset)
        if known != precision:
            text = f"asset {asset} has the precision {known}, not {precision}"
            return Refused(Reason.FIELD_INVALID, text, "instrument")
    market = state.markets.get(instrument.symbol)
    if market is not None:
        if market.instrument._replace(status=instrument.status) == instrument:
            return []
        return exists(f"instrument {instrument.symbol} exists with other rules")
    broken = instrument.rule_broken()
    if broken:
        return Refused(Reason.FIELD_INVALID, broken, "instrument")
    return [InstrumentListed(instrument)]


def set_status(state: State, command: SetInstrumentStatus, now_ns: int) -> Events | Refused:
    """Change what an instrument accepts."""
    market = state.markets.get(command.symbol)
    if market is None:
        return no_instrument(command.symbol)
    if market.instrument.status is command.status:
        return []
    return [InstrumentStatusChanged(command.symbol, command.status)]


def create_account(state: State, command: CreateAccount, now_ns: int) -> Events | Refused:
    """Open an account; a repeat with equal content changes nothing."""
    wrong = bad_rates(command.maker_rate, command.taker_rate)
    if wrong is not None:
        return wrong
    account = state.accounts.get(command.account)
    event = AccountUpdated(*command, trading_disabled=False)
    if account is None:
        return [event]
    if settings_of(account)[:-1] == event[:-1]:
        return []
    return exists(f"account {command.account} exists with other settings; use UpdateAccount")


def update_account(state: State, command: UpdateAccount, now_ns: int) -> Events | Refused:
    """Change an account; the kill switch cancels its orders."""
    account = state.accounts.get(command.account)
    if account is None:
        return no_account(command.account)
    old = settings_of(account)
    changes = {name: value for name, value in command._asdict().items() if value is not None}
    new = old._replace(**changes)
    wrong = bad_rates(new.maker_rate, new.taker_rate)
    if wrong is not None:
        return wrong
    if new == old:
        return []
    events: Events = [new]
    if new.trading_disabled and not old.trading_disabled:
        events += cancel_each(account.orders.values(), Reason.KILL_SWITCH)
    return events


def settings_of(account: AccountState) -> AccountUpdated:
    """Return the settings of an account, as the event that would set them."""
    return AccountUpdated(
        account.name,
        account.maker_rate,
        account.taker_rate,
        account.open_order_limit,
        account.rate_limit_exempt,
        account.trading_disabled,
    )


def set_kill_switch(state: State, command: SetKillSwitch, now_ns: int) -> Events:
    """Stop or allow trading; stopping cancels every order."""
    if state.kill_switch == command.engaged:
        return []
    events: Events = [KillSwitchSet(command.engaged)]
    if command.engaged:
        events += cancel_each(state.orders.values(), Reason.KILL_SWITCH)
    return events


def _move_money(state: State, command: Deposit | Withdraw) -> int | Refused:
    """Return the amount in the asset's smallest unit."""
    if command.account not in state.accounts:
        return no_account(command.account)
    precision = state.assets.get(command.asset)
    if precision is None:
        return no_asset(command.asset)
    amount = parse_decimal(command.amount, precision)
    if amount is None:
        text = f"amount has more than {precision} decimals"
        return Refused(Reason.FIELD_INVALID, text, "amount")
    if not 0 < amount < AMOUNT_BOUND:
        text = "amount must be positive and fit 62 bits of the smallest unit"
        return Refused(Reason.FIELD_INVALID, text, "amount")
    return amount


def deposit(state: State, command: Deposit, now_ns: int) -> Events | Refused:
    """Credit an account."""
    amount = _move_money(state, command)
    if isinstance(amount, Refused):
        return amount
    return [Deposited(command.account, command.asset, amount, command.request_id)]


def withdraw(state: State, command: Withdraw, now_ns: int) -> Events | Refused:
    """Debit an account, at most what is available."""
    amount = _move_money(state, command)
    if isinstance(amount, Refused):
        return amount
    if state.accounts[command.account].available(command.asset) < amount:
        text = "the available balance does not cover the withdrawal"
        return Refused(Reason.INSUFFICIENT_FUNDS, text, "amount")
    return [Withdrawn(command.account, command.asset, amount, command.request_id)]


def create_key(state: State, command: CreateKey, now_ns: int) -> Events | Refused:
    """Add a key to an account."""
    key = command.key
    account = state.accounts.get(key.account)
    if account is None:
        return no_account(key.account)
    if key.expires_ns >= TIME_BOUND_NS:
        return too_late()
    if key.key_id in state.keys:
        return exists(f"key {key.key_id} exists")
    if key.public_key in state.public_keys:
        # Under two ids, what was signed for one could be presented for the other. Whoever asked
        # has looked before; but not at what was on its way then.
        text = "this public key is or was registered: make a new key pair"
        return Refused(Reason.FIELD_INVALID, text, "public_key")
    live = sum(
        1
        for other in account.keys.values()
        if not other.revoked_ns and (not other.expires_ns or other.expires_ns > now_ns)
    )
    if live >= LIVE_KEYS_MAX:
        return Refused(Reason.KEY_LIMIT, f"the account has {LIVE_KEYS_MAX} live keys")
    return [KeyStored(key)]


def set_key_expiry(state: State, command: SetKeyExpiry, now_ns: int) -> Events | Refused:
    """Let a key end at a time, never later than before."""
    key = state.keys.get(command.key_id)
    if key is None or key.account != command.account:
        return no_key(command.key_id)
    if command.expires_ns >= TIME_BOUND_NS:
        return too_late()
    if key.expires_ns and key.expires_ns <= command.expires_ns:
        return []
    return [KeyStored(key._replace(expires_ns=command.expires_ns))]


def revoke_key(state: State, command: RevokeKey, now_ns: int) -> Events | Refused:
    """End a key at once."""
    key = state.keys.get(command.key_id)
    if key is None or command.account not in ("", key.account):
        return no_key(command.key_id)
    if key.revoked_ns:
        return []
    return [KeyStored(key._replace(revoked_ns=now_ns))]
