"""`tradewire admin`: operate the venue, through its admin listener on this machine."""

from typing import TYPE_CHECKING, Annotated

import typer

from tradewire_server.cli.arguments import Json, as_typed
from tradewire_server.cli.connection import AdminOptions, with_admin
from tradewire_server.cli.keys import (
    ApiKeyName,
    Out,
    check_out,
    key_path,
    save_pair,
    show_created,
    show_keys,
)

if TYPE_CHECKING:
    from tradewire_client import Account, Balance, Instrument

app = typer.Typer(no_args_is_help=True, help="Operate the venue: accounts, money, instruments.")
keys = typer.Typer(no_args_is_help=True, help="Keys of any account.")
app.add_typer(keys, name="keys")

AccountName = Annotated[str, typer.Argument(help="Name of the account.", metavar="ACCOUNT")]
Asset = Annotated[str, typer.Argument(help="Code, e.g. BTC.", metavar="ASSET")]
Amount = Annotated[str, typer.Argument(help="Decimal, above zero.", metavar="AMOUNT")]
SymbolName = Annotated[str, typer.Argument(help="BASE-QUOTE, e.g. BTC-USD.", metavar="SYMBOL")]
RequestId = Annotated[
    str, typer.Option(help="A repeat with the same id is done once; made if not given.")
]
MakerFee = Annotated[str | None, typer.Option(help="Fraction, e.g. 0.001 for 0.1 %.")]
TakerFee = Annotated[str | None, typer.Option(help="Fraction, e.g. 0.002 for 0.2 %.")]

ACCOUNT_COLUMNS = (
    ("Account", "account"),
    ("Maker fee", "maker_fee_rate"),
    ("Taker fee", "taker_fee_rate"),
    ("Open orders", "open_order_count"),
    ("Limit", "open_order_limit"),
    ("Disabled", "trading_disabled"),
    ("Exempt", "rate_limit_exempt"),
)
BALANCE_COLUMNS = (
    ("Asset", "asset"),
    ("Total", "total"),
    ("Available", "available"),
    ("Held", "held"),
)


@app.command()
@with_admin
async def venue(
    options: AdminOptions,
    state_hash: Annotated[
        bool,
        typer.Option("--state-hash", help="With the hash of the state; pauses a large venue."),
    ] = False,
    json: Json = False,
) -> None:
    """Tell how the venue is.

    Example: `tradewire admin venue --json`
    """
    from tradewire_server.cli.rendering import print_json, record, show

    async with options.operator() as operator:
        found = await operator.status(with_state_hash=state_hash)
    if json:
        print_json(found)
    else:
        show(record(found))


@app.command()
@with_admin
async def accounts(options: AdminOptions, json: Json = False) -> None:
    """List all accounts.

    Example: `tradewire admin accounts`
    """
    async with options.operator() as operator:
        found = await operator.accounts()
    _show_accounts(found, as_json=json)


@app.command("create-account")
@with_admin
async def create_account(
    options: AdminOptions,
    account: AccountName,
    maker_fee: MakerFee = None,
    taker_fee: TakerFee = None,
    open_order_limit: Annotated[int, typer.Option(min=0, help="0 means 1000.")] = 0,
    exempt: Annotated[bool, typer.Option("--exempt", help="No rate limits.")] = False,
    json: Json = False,
) -> None:
    """Open an account; a repeat with equal settings changes nothing.

    Example: `tradewire admin create-account alice --maker-fee 0 --taker-fee 0.001`
    """
    async with options.operator() as operator:
        created = await operator.create_account(
            account,
            maker_fee_rate=maker_fee,
            taker_fee_rate=taker_fee,
            open_order_limit=open_order_limit,
            rate_limit_exempt=exempt,
        )
    _show_accounts([created], as_json=json, single=True)


@app.command("update-account")
@with_admin
async def update_account(
    options: AdminOptions,
    account: AccountName,
    maker_fee: MakerFee = None,
    taker_fee: TakerFee = None,
    open_order_limit: Annotated[int | None, typer.Option(min=1, help="New limit.")] = None,
    exempt: Annotated[
        bool | None, typer.Option("--exempt/--not-exempt", help="Rate limits do not apply.")
    ] = None,
    trading: Annotated[
        bool | None,
        typer.Option("--enable-trading/--disable-trading", help="The account's kill switch."),
    ] = None,
    json: Json = False,
) -> None:
    """Change an account; what is not given stays. Disabling trading cancels its orders.

    Example: `tradewire admin update-account alice --disable-trading`
    """
    from tradewire_server.cli.rendering import print_json, show

    async with options.operator() as operator:
        updated, canceled = await operator.update_account(
            account,
            maker_fee_rate=maker_fee,
            taker_fee_rate=taker_fee,
            open_order_limit=open_order_limit,
            rate_limit_exempt=exempt,
            trading_disabled=None if trading is None else not trading,
        )
    if json:
        print_json({"account": updated, "canceled_count": canceled})
        return
    _show_accounts([updated], as_json=False)
    if canceled:
        show(f"{canceled} orders canceled")


@app.command()
@with_admin
async def balances(options: AdminOptions, account: AccountName, json: Json = False) -> None:
    """List the balances of an account; `fees` is the venue's own.

    Example: `tradewire admin balances fees`
    """
    from tradewire_server.cli.rendering import print_json, show, table

    async with options.operator() as operator:
        found = await operator.balances(account)
    if json:
        print_json(found)
    else:
        show(table(found, BALANCE_COLUMNS, empty="no balances"))


@app.command()
@with_admin
async def deposit(
    options: AdminOptions,
    account: AccountName,
    asset: Asset,
    amount: Amount,
    request_id: RequestId = "",
    json: Json = False,
) -> None:
    """Credit an account.

    Example: `tradewire admin deposit demo-1 USD 1000`
    """
    async with options.operator() as operator:
        balance, sequence = await operator.deposit(account, asset, amount, request_id=request_id)
    _show_balance(balance, sequence, as_json=json)


@app.command()
@with_admin
async def withdraw(
    options: AdminOptions,
    account: AccountName,
    asset: Asset,
    amount: Amount,
    request_id: RequestId = "",
    json: Json = False,
) -> None:
    """Debit an account, at most by what is available.

    Example: `tradewire admin withdraw demo-1 USD 1000`
    """
    async with options.operator() as operator:
        balance, sequence = await operator.withdraw(account, asset, amount, request_id=request_id)
    _show_balance(balance, sequence, as_json=json)


@app.command("create-asset")
@with_admin
async def create_asset(
    options: AdminOptions,
    asset: Asset,
    precision: Annotated[
        int, typer.Argument(min=0, max=18, help="Number of decimals.", metavar="PRECISION")
    ],
    json: Json = False,
) -> None:
    """Name an asset and the number of decimals that are kept.

    Example: `tradewire admin create-asset SOL 8`
    """
    from tradewire_server.cli.rendering import print_json, show

    async with options.operator() as operator:
        await operator.create_asset(asset, precision)
    if json:
        print_json({"asset": asset, "precision": precision})
    else:
        show(f"{asset} has {precision} decimals")


@app.command()
@with_admin
async def instruments(options: AdminOptions, json: Json = False) -> None:
    """List the instruments, as `tradewire instruments` does.

    Example: `tradewire admin instruments`
    """
    from tradewire_server.cli.connection import VenueOptions
    from tradewire_server.cli.market import show_instruments
    from tradewire_server.cli.rendering import print_json

    async with VenueOptions(data_dir=options.data_dir).public_client() as client:
        found = await client.market.instruments()
    if json:
        print_json(found)
    else:
        show_instruments(found)


@app.command("create-instrument")
@with_admin
async def create_instrument(
    options: AdminOptions,
    symbol: SymbolName,
    tick_size: Annotated[str, typer.Option(help="Step of prices.")],
    lot_size: Annotated[str, typer.Option(help="Step of quantities.")],
    maximum_quantity: Annotated[str, typer.Option(help="Greatest quantity of an order.")],
    maximum_notional: Annotated[str, typer.Option(help="Greatest price times quantity.")],
    minimum_quantity: Annotated[
        str, typer.Option(help="Smallest quantity; one lot if unset.")
    ] = "",
    minimum_notional: Annotated[str, typer.Option(help="Smallest price times quantity.")] = "0",
    price_band: Annotated[str, typer.Option(help="Percent from the last trade; 0 is none.")] = "0",
    market_protection: Annotated[str, typer.Option(help="Percent from the best price.")] = "5",
    json: Json = False,
) -> None:
    """List an instrument; its assets must exist. A repeat with equal rules changes nothing.

    Example: `tradewire admin create-instrument SOL-USD --tick-size 0.01 --lot-size 0.001
    --maximum-quantity 10000 --maximum-notional 1000000`
    """
    async with options.operator() as operator:
        created = await operator.create_instrument(
            symbol,
            tick_size=tick_size,
            lot_size=lot_size,
            minimum_quantity=minimum_quantity,
            maximum_quantity=maximum_quantity,
            minimum_notional=minimum_notional,
            maximum_notional=maximum_notional,
            price_band_percent=price_band,
            market_protection_percent=market_protection,
        )
    _show_instrument(created, as_json=json)


@app.command()
@with_admin
async def status(
    options: AdminOptions,
    symbol: SymbolName,
    new_status: Annotated[
        str,
        typer.Argument(help="trading, halted, cancel_only or post_only.", metavar="STATUS"),
    ],
    json: Json = False,
) -> None:
    """Change what an instrument accepts.

    Example: `tradewire admin status BTC-USD halted`
    """
    async with options.operator() as operator:
        with as_typed():
            changed = await operator.set_instrument_status(symbol, new_status)
    _show_instrument(changed, as_json=json)


@app.command("kill-switch")
@with_admin
async def kill_switch(
    options: AdminOptions,
    position: Annotated[
        str, typer.Argument(help="on stops all trading, off allows it.", metavar="on|off")
    ],
    json: Json = False,
) -> None:
    """Stop or allow all trading; stopping cancels every order. Nobody is asked twice.

    Example: `tradewire admin kill-switch on`
    """
    from tradewire_server.cli.rendering import print_json, show

    if position not in ("on", "off"):
        raise typer.BadParameter("say on or off")
    engaged = position == "on"
    async with options.operator() as operator:
        canceled = await operator.set_kill_switch(engaged=engaged)
    if json:
        print_json({"engaged": engaged, "canceled_count": canceled})
    else:
        show(f"trading is {'stopped' if engaged else 'allowed'}, {canceled} orders canceled")


@keys.command("list")
@with_admin
async def list_keys(options: AdminOptions, account: AccountName, json: Json = False) -> None:
    """List the keys of an account, revoked ones included.

    Example: `tradewire admin keys list demo-1`
    """
    async with options.operator() as operator:
        found = await operator.keys(account)
    show_keys(found, as_json=json)


@keys.command("create")
@with_admin
async def create_key(
    options: AdminOptions,
    account: AccountName,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, trade, transfer, quote, admin; repeat. Read alone if none."),
    ] = None,
    label: Annotated[str, typer.Option(help="What the owner calls it.")] = "",
    out: Out = None,
    json: Json = False,
) -> None:
    """Make an Ed25519 key for any account and write it to a file that only you can read.

    Example: `tradewire admin keys create alice --scope read --scope trade --out alice.json`
    """
    from tradewire_client import Ed25519Key

    check_out(out)
    pair = Ed25519Key.generate()
    async with options.operator() as operator:
        with as_typed():
            created = await operator.create_key(
                account, public_key=pair.public_key, scopes=scope or (), label=label
            )
    path = key_path(options.data_dir, out, created.api_key)
    save_pair(pair, created.api_key, path)
    show_created({"key": created}, created, path, as_json=json)


@keys.command("revoke")
@with_admin
async def revoke_key(options: AdminOptions, api_key: ApiKeyName, json: Json = False) -> None:
    """End a key of any account, its sessions and its streams.

    Example: `tradewire admin keys revoke tw_ABC`
    """
    async with options.operator() as operator:
        revoked = await operator.revoke_key(api_key)
    show_keys([revoked], as_json=json, single=True)


def _show_accounts(found: "list[Account]", *, as_json: bool, single: bool = False) -> None:
    from tradewire_server.cli.rendering import print_json, show, table

    if as_json:
        print_json(found[0] if single else found)
    else:
        show(table(found, ACCOUNT_COLUMNS))


def _show_balance(balance: "Balance", sequence: int, *, as_json: bool) -> None:
    from tradewire_server.cli.rendering import print_json, show, table

    if as_json:
        print_json({"balance": balance, "ledger_sequence": sequence})
    else:
        show(table([balance], BALANCE_COLUMNS))


def _show_instrument(instrument: "Instrument", *, as_json: bool) -> None:
    from tradewire_server.cli.rendering import print_json, record, show

    if as_json:
        print_json(instrument)
    else:
        show(record(instrument))
