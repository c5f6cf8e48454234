"""`tradewire orders`: place, amend, cancel and find orders."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tradewire_server.cli.arguments import Json, Symbol, as_typed, deadline, time_of
from tradewire_server.cli.connection import VenueOptions, with_venue
from tradewire_server.cli.failure import CommandFailed

if TYPE_CHECKING:
    from tradewire_client import Order, OrderResult

app = typer.Typer(no_args_is_help=True, help="Place, amend, cancel and find orders.")

OrderName = Annotated[
    str,
    typer.Argument(help="The venue's id, or with --by-client-id the client's.", metavar="ORDER"),
]
ByClientId = Annotated[
    bool, typer.Option("--by-client-id", help="ORDER is any client order id of its chain.")
]
ClientOrderId = Annotated[
    str,
    typer.Option(help="The client's own id of the command; one is made if it is not given."),
]
ValidFor = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", min=0, help="Drop the command if it waits longer for the engine."
    ),
]

COLUMNS = (
    ("Order", "order_id"),
    ("Client order id", "client_order_id"),
    ("Symbol", "symbol"),
    ("Side", "side"),
    ("Type", "type"),
    ("Price", "price"),
    ("Quantity", "quantity"),
    ("Filled", "filled_quantity"),
    ("Average", "average_price"),
    ("Status", "status"),
    ("Reason", "reason"),
)
OPTIONAL_COLUMNS = ("type", "average_price", "client_order_id")


@app.command()
@with_venue
async def place(
    options: VenueOptions,
    symbol: Symbol,
    side: Annotated[str, typer.Argument(help="buy or sell.", metavar="SIDE")],
    quantity: Annotated[
        str | None,
        typer.Argument(help="In units of base; not with --quote-quantity.", metavar="QUANTITY"),
    ] = None,
    price: Annotated[
        str | None, typer.Option(help="Limit price; without one it is a market order.")
    ] = None,
    quote_quantity: Annotated[
        str | None, typer.Option(help="Of a market order: greatest notional, in units of quote.")
    ] = None,
    time_in_force: Annotated[
        str | None, typer.Option("--time-in-force", "--tif", help="day, gtc, ioc, fok or gtd.")
    ] = None,
    expire_time: Annotated[
        str | None, typer.Option(help="End of a gtd order, e.g. 2030-01-31T12:00:00Z.")
    ] = None,
    post_only: Annotated[
        str | None, typer.Option(help="reject or reprice: never take liquidity.")
    ] = None,
    self_trade_prevention: Annotated[
        str | None,
        typer.Option(help="cancel_newest, cancel_oldest, cancel_both or decrement."),
    ] = None,
    client_order_id: ClientOrderId = "",
    valid_for: ValidFor = None,
    json: Json = False,
) -> None:
    """Place an order and print what became of it.

    Examples: `tradewire orders place BTC-USD buy 0.01 --price 60000`,
    `tradewire orders place BTC-USD sell --quote-quantity 500`
    """
    async with options.client() as client:
        with as_typed():
            reply = client.orders.place(
                symbol=symbol,
                side=side,  # type: ignore[arg-type]
                type="market" if price is None else "limit",
                quantity=quantity,
                price=price,
                quote_quantity=quote_quantity,
                time_in_force=time_in_force,  # type: ignore[arg-type]
                expire_time=time_of(expire_time),
                post_only=post_only,  # type: ignore[arg-type]
                self_trade_prevention=self_trade_prevention,  # type: ignore[arg-type]
                client_order_id=client_order_id,
                valid_until=deadline(valid_for),
            )
        _show(await reply, as_json=json)


@app.command()
@with_venue
async def amend(
    options: VenueOptions,
    order: OrderName,
    quantity: Annotated[
        str | None, typer.Option(help="New quantity of the whole order, what is filled included.")
    ] = None,
    price: Annotated[str | None, typer.Option(help="New limit price.")] = None,
    by_client_id: ByClientId = False,
    client_order_id: ClientOrderId = "",
    valid_for: ValidFor = None,
    json: Json = False,
) -> None:
    """Change price, quantity or both of a working order.

    It keeps its place in the queue when only the quantity goes down.
    Example: `tradewire orders amend 4711 --price 60100`
    """
    async with options.client() as client:
        with as_typed():
            reply = client.orders.amend(
                None if by_client_id else order,
                original_client_order_id=order if by_client_id else None,
                quantity=quantity,
                price=price,
                client_order_id=client_order_id,
                valid_until=deadline(valid_for),
            )
        _show(await reply, as_json=json)


@app.command()
@with_venue
async def cancel(
    options: VenueOptions,
    orders: Annotated[
        list[str],
        typer.Argument(
            help="The venue's ids, or with --by-client-id the client's.", metavar="ORDER..."
        ),
    ],
    by_client_id: ByClientId = False,
    client_order_id: ClientOrderId = "",
    valid_for: ValidFor = None,
    json: Json = False,
) -> None:
    """Cancel a working order, or up to 100 of them with one call.

    Examples: `tradewire orders cancel my-order-1 --by-client-id`, `tradewire orders cancel 17 18`
    """
    async with options.client() as client:
        valid_until = deadline(valid_for)
        if len(orders) == 1:
            with as_typed():
                reply = client.orders.cancel(
                    None if by_client_id else orders[0],
                    original_client_order_id=orders[0] if by_client_id else None,
                    client_order_id=client_order_id,
                    valid_until=valid_until,
                )
            _show(await reply, as_json=json)
            return
        if client_order_id:
            raise typer.BadParameter("--client-order-id is for one order")
        with as_typed():
            results = await client.orders.cancel_many(
                {"original_client_order_id": order, "valid_until": valid_until}
                if by_client_id
                else {"order_id": order, "valid_until": valid_until}
                for order in orders
            )
    _show_results(orders, results, as_json=json)


@app.command("cancel-all")
@with_venue
async def cancel_all(
    options: VenueOptions,
    symbol: Annotated[str, typer.Option(help="Only orders of this instrument.")] = "",
    side: Annotated[str | None, typer.Option(help="Only buy or only sell orders.")] = None,
    json: Json = False,
) -> None:
    """Cancel all working orders, or those of one instrument or side.

    Example: `tradewire orders cancel-all --symbol BTC-USD --side buy`
    """
    from tradewire_server.cli.rendering import print_json, show

    async with options.client() as client:
        with as_typed():
            reply = client.orders.cancel_all(symbol=symbol, side=side)  # type: ignore[arg-type]
        answer = await reply
    if json:
        print_json(answer)
    else:
        show(f"{answer.canceled_count} canceled")


@app.command()
@with_venue
async def get(
    options: VenueOptions,
    order: OrderName,
    by_client_id: ByClientId = False,
    json: Json = False,
) -> None:
    """Show an order, working or closed.

    Example: `tradewire orders get 4711`
    """
    async with options.client() as client:
        answer = await client.orders.get(
            None if by_client_id else order, client_order_id=order if by_client_id else None
        )
        _show(answer, as_json=json)


@app.command("list")
@with_venue
async def list_orders(
    options: VenueOptions,
    closed: Annotated[bool, typer.Option("--closed", help="Closed orders instead.")] = False,
    symbol: Annotated[str, typer.Option(help="Only orders of this instrument.")] = "",
    json: Json = False,
) -> None:
    """List working orders, or closed ones.

    Example: `tradewire orders list --closed --symbol BTC-USD`
    """
    from tradewire_server.cli.rendering import print_json, show, table

    async with options.client() as client:
        found = await client.orders.list("closed" if closed else "open", symbol=symbol)
    if json:
        print_json(found)
    else:
        empty = "no closed orders" if closed else "no working orders"
        show(table(found, COLUMNS, optional=OPTIONAL_COLUMNS, empty=empty))


def _show_results(names: Sequence[str], results: Sequence["OrderResult"], *, as_json: bool) -> None:
    from tradewire_server.cli.rendering import print_json, show, show_line, table

    if as_json:
        print_json(
            [
                {
                    "client_order_id": result.client_order_id,
                    "order": result.order,
                    "error": None if result.error is None else str(result.error),
                }
                for result in results
            ]
        )
    else:
        done = [result.order for result in results if result.order is not None]
        show(table(done, COLUMNS, optional=OPTIONAL_COLUMNS, empty="none canceled"))
        for name, result in zip(names, results, strict=True):
            if result.error is not None:
                show_line(f"{name}: {result.error}")
    failed = sum(result.error is not None for result in results)
    if failed:
        raise CommandFailed(f"{failed} of {len(results)} could not be canceled")


def _show(order: "Order", *, as_json: bool) -> None:
    from tradewire_server.cli.rendering import print_json, record, show

    if as_json:
        print_json(order)
    else:
        show(record(order))
