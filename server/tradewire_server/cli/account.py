"""The caller's account on the command line: executions, balances, positions, ledger, limits."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from tradewire_server.cli.arguments import Json, as_typed
from tradewire_server.cli.connection import VenueOptions, with_venue

if TYPE_CHECKING:
    from tradewire_client import Execution, LedgerEntry

Count = Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest.")]
After = Annotated[
    int | None, typer.Option(min=0, help="Begin after this number; 0 is the beginning.")
]

LEDGER_COLUMNS = (
    ("#", "ledger_sequence"),
    ("Time", "time_ns"),
    ("Type", "type"),
    ("Changes", "changes"),
    ("Symbol", "symbol"),
    ("Order", "order_id"),
    ("Fee", "fee"),
    ("Request", "request_id"),
)


@with_venue
async def executions(
    options: VenueOptions,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")] = False,
    after: After = None,
    count: Count = 20,
    json: Json = False,
) -> None:
    """List the account's executions, the newest ones or those after a number.

    With `--follow` every execution comes exactly once and in order, also across outages; with
    `--json --follow` one object per line. Example: `tradewire executions --follow --after 0`
    """
    from tradewire_server.cli.rendering import print_json, show

    async with options.client() as client:
        begin = after
        if begin is None:
            newest = (await client.account.get()).as_of_sequence
            begin = max(0, newest - count)
        if follow:
            async with client.executions.follow(after_sequence=begin) as stream:
                async for execution in stream:
                    _print_execution(execution, as_json=json)
            return
        found = await client.executions.list(after_sequence=begin)
    if json:
        print_json(found)
    else:
        for execution in found:
            _print_execution(execution, as_json=False)
        if not found:
            show("no executions")


def _print_execution(execution: "Execution", *, as_json: bool) -> None:
    from tradewire_server.cli.rendering import (
        cell,
        clock_text,
        print_json_line,
        row_style,
        show_line,
    )

    if as_json:
        print_json_line(execution)
        return
    order = execution.order
    what = cell(execution.type)
    if execution.last_quantity is not None:
        what += f" {cell(execution.last_quantity)} at {cell(execution.last_price)}"
    if execution.reason.value:
        what += f" ({cell(execution.reason)})"
    price = "market" if order.price is None else f"at {cell(order.price)}"
    line = (
        f"{execution.sequence:>7}  {clock_text(execution.transact_time_ns)}  {order.symbol}  "
        f"{cell(order.side)} {cell(order.quantity or order.quote_quantity)} {price}  "
        f"order {order.order_id}: {what}, {cell(order.leaves_quantity)} left"
    )
    show_line(line, style=row_style(execution))


@with_venue
async def balances(options: VenueOptions, json: Json = False) -> None:
    """List the balances: what there is, what can be used, what open orders hold.

    Example: `tradewire balances --account demo-2`
    """
    from tradewire_server.cli.rendering import print_json, show, table

    async with options.client() as client:
        found = await client.account.balances()
    columns = (
        ("Asset", "asset"),
        ("Total", "total"),
        ("Available", "available"),
        ("Held", "held"),
    )
    if json:
        print_json(found)
    else:
        show(table(found, columns, empty="no balances"))


@with_venue
async def positions(options: VenueOptions, json: Json = False) -> None:
    """List the positions: quantity, average price, profit and loss.

    Example: `tradewire positions`
    """
    from tradewire_server.cli.rendering import print_json, show, table

    async with options.client() as client:
        found = await client.account.positions()
    columns = (
        ("Symbol", "symbol"),
        ("Quantity", "quantity"),
        ("Average entry", "average_entry_price"),
        ("Realized", "realized_pnl"),
        ("Unrealized", "unrealized_pnl"),
        ("Fees", "fees"),
    )
    if json:
        print_json(found)
    else:
        show(table(found, columns, empty="no positions"))


@with_venue
async def ledger(
    options: VenueOptions, after: After = None, count: Count = 20, json: Json = False
) -> None:
    """List the movements of money, the newest ones or those after a number.

    Example: `tradewire ledger --after 0`
    """
    from tradewire_server.cli.rendering import print_json, show, table

    async with options.client() as client:
        begin = after
        if begin is None:
            newest = (await client.account.balances()).as_of_ledger_sequence
            begin = max(0, newest - count)
        found = await client.account.ledger(after_sequence=begin)
    if json:
        print_json(found)
    else:
        rows = [_LedgerRow.of(entry) for entry in found]
        optional = ("request_id", "order_id", "symbol")
        show(table(rows, LEDGER_COLUMNS, optional=optional, empty="no entries"))


class _LedgerRow(NamedTuple):
    """An entry for the table, its changes as one text."""

    ledger_sequence: int
    time_ns: int
    type: str
    changes: str
    symbol: str
    order_id: str
    fee: Decimal | None
    request_id: str

    @classmethod
    def of(cls, entry: "LedgerEntry") -> "_LedgerRow":
        """Return the row of an entry."""
        changes = (f"{format(change.amount, '+f')} {change.asset}" for change in entry.changes)
        return cls(
            entry.ledger_sequence,
            entry.time_ns,
            entry.type.name.lower(),
            "  ".join(changes),
            entry.symbol,
            entry.order_id,
            entry.fee or None,
            entry.request_id,
        )


@with_venue
async def limits(options: VenueOptions, json: Json = False) -> None:
    """Show the limits of the account and how much of them is left.

    Example: `tradewire limits`
    """
    from tradewire_server.cli.rendering import print_json, show, table

    async with options.client() as client:
        found = await client.account.limits()
    if json:
        print_json(found)
        return
    columns = (
        ("Limit", "name"),
        ("Per second", "rate_per_second"),
        ("Burst", "limit"),
        ("Left", "remaining"),
        ("Reserve", "reserve"),
        ("Whole in ms", "reset_ms"),
    )
    show(table(found.limits, columns, empty="rate limits do not apply to this account"))
    show(f"open orders: {found.open_order_count} of {found.open_order_limit}")


@with_venue
async def token(options: VenueOptions) -> None:
    """Print a session token, for `curl` and the like; it is good for some minutes.

    Example: `curl -H "authorization: Bearer $(tradewire token)" http://127.0.0.1:8080/v1/balances`
    """
    async with options.client() as client:
        authorization = await client.session.authorization()
        # Otherwise it would end with this program.
        client.session.invalidate(authorization)
    print(dict(authorization)["authorization"].removeprefix("Bearer "))


@with_venue
async def ticket(
    options: VenueOptions,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, trade, transfer or quote; repeat for several. All if none."),
    ] = None,
) -> None:
    """Print a ticket: it begins one session within 30 seconds, for who has no key.

    Example: `python -m websockets "ws://127.0.0.1:8080/v1/ws?ticket=$(tradewire ticket)"`
    """
    async with options.client() as client:
        with as_typed():
            made = await client.create_ticket(scopes=scope or ())  # type: ignore[arg-type]
        # Otherwise the ticket would end with this program, as its session would.
        client.session.invalidate(await client.session.authorization())
    print(made.ticket)


def add_to(app: typer.Typer) -> None:
    """Put the commands under the program's name."""
    for command in (executions, balances, positions, ledger, limits, token, ticket):
        app.command(rich_help_panel="Account")(command)
