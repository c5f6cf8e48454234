"""Market data on the command line: books, trades, tickers, candles. No key is needed."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from tradewire_server.cli.arguments import Json, Symbol, as_typed, time_of
from tradewire_server.cli.connection import VenueOptions, with_venue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradewire_client import Book, Instrument, Trade

Depth = Annotated[int, typer.Option(min=1, max=1000, help="Levels per side.")]

# What a person can follow.
REFRESH_PER_S = 8
RECENT_TRADES = 12

INSTRUMENT_COLUMNS = (
    ("Symbol", "symbol"),
    ("Status", "status"),
    ("Tick", "tick_size"),
    ("Lot", "lot_size"),
    ("Minimum", "minimum_quantity"),
    ("Maximum", "maximum_quantity"),
    ("Minimum notional", "minimum_notional"),
    ("Maximum notional", "maximum_notional"),
    ("Band %", "price_band_percent"),
    ("Protection %", "market_protection_percent"),
)
OPTIONAL_INSTRUMENT_COLUMNS = (
    "price_band_percent",
    "market_protection_percent",
    "maximum_quantity",
    "minimum_quantity",
    "maximum_notional",
    "minimum_notional",
)
TRADE_COLUMNS = (
    ("Trade", "trade_id"),
    ("Time", "time_ns"),
    ("Taker", "taker_side"),
    ("Price", "price"),
    ("Quantity", "quantity"),
)
CANDLE_COLUMNS = (
    ("Open time", "open_time_ns"),
    ("Open", "open_price"),
    ("High", "high_price"),
    ("Low", "low_price"),
    ("Close", "close_price"),
    ("Volume", "volume"),
    ("Trades", "trade_count"),
)


@with_venue
async def book(
    options: VenueOptions,
    symbol: Symbol,
    depth: Depth = 10,
    once: Annotated[bool, typer.Option("--once", help="Print the book once and end.")] = False,
    json: Json = False,
) -> None:
    """Watch an order book; Ctrl-C ends.

    In a pipe it is printed once, or with `--json` as one object per line for each change.
    Example: `tradewire book BTC-USD --depth 5`
    """
    from tradewire_server.cli.ladder import ladder
    from tradewire_server.cli.rendering import console, print_json, print_json_line, show

    async with options.public_client() as client:
        if once or not (json or console().is_terminal):
            found = await client.market.get_book(symbol, depth=depth)
            if json:
                print_json(found)
            else:
                show(ladder(found, (), depth=depth))
            return
        # Tells a wrong symbol at once, where the stream would be opened again and again.
        await client.market.instrument(symbol)
        if json:
            async with client.market.book(symbol, depth=depth) as changes:
                async for found in changes:
                    print_json_line(found)
        else:
            await _watch(client, symbol, depth)


async def _watch(client: object, symbol: str, depth: int) -> None:
    from rich.live import Live
    from tradewire_client import Client

    from tradewire_server.cli.ladder import ladder
    from tradewire_server.cli.rendering import console

    assert isinstance(client, Client)
    recent: list[Trade] = await client.market.trades(symbol, page_size=RECENT_TRADES)
    latest: Book | None = None

    async def follow_book() -> None:
        nonlocal latest
        async with client.market.book(symbol, depth=depth) as changes:
            async for found in changes:
                latest = found

    async def follow_trades() -> None:
        after = recent[-1].trade_id if recent else 0
        async for trade in client.market.follow_trades(symbol, after_trade_id=after):
            recent.append(trade)
            del recent[:-RECENT_TRADES]

    async def draw() -> None:
        with Live(console=console(), auto_refresh=False, screen=False) as live:
            while True:
                if latest is not None:
                    live.update(ladder(latest, recent, depth=depth), refresh=True)
                await asyncio.sleep(1 / REFRESH_PER_S)

    async with asyncio.TaskGroup() as tasks:
        for work in (follow_book(), follow_trades(), draw()):
            tasks.create_task(work)


@with_venue
async def trades(
    options: VenueOptions,
    symbol: Symbol,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest.")] = 20,
    after: Annotated[int | None, typer.Option(min=0, help="Only trades after this number.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")] = False,
    json: Json = False,
) -> None:
    """List public trades.

    With `--json --follow`: one object per line. Example: `tradewire trades BTC-USD --follow`
    """
    from tradewire_server.cli.rendering import print_json, show, table

    async with options.public_client() as client:
        found = await client.market.trades(symbol, after_trade_id=after, page_size=count)
        if not follow:
            if json:
                print_json(found)
            else:
                show(table(found, TRADE_COLUMNS, empty="no trades"))
            return
        for trade in found:
            _print_trade(trade, as_json=json)
        last = found[-1].trade_id if found else (after or 0)
        async for trade in client.market.follow_trades(symbol, after_trade_id=last):
            _print_trade(trade, as_json=json)


def _print_trade(trade: "Trade", *, as_json: bool) -> None:
    from tradewire_server.cli.rendering import (
        cell,
        clock_text,
        print_json_line,
        row_style,
        show_line,
    )

    if as_json:
        print_json_line(trade)
        return
    line = (
        f"{trade.trade_id:>9}  {clock_text(trade.time_ns)}  {cell(trade.taker_side):4}  "
        f"{cell(trade.price):>12}  {cell(trade.quantity):>14}"
    )
    show_line(line, style=row_style(trade))


@with_venue
async def ticker(options: VenueOptions, symbol: Symbol, json: Json = False) -> None:
    """Sum up the last 24 hours of an instrument.

    Example: `tradewire ticker BTC-USD`
    """
    from tradewire_server.cli.rendering import print_json, record, show

    async with options.public_client() as client:
        found = await client.market.ticker(symbol)
    if json:
        print_json(found)
    else:
        show(record(found))


@with_venue
async def candles(
    options: VenueOptions,
    symbol: Symbol,
    interval: Annotated[
        str, typer.Argument(help="1m, 5m, 15m, 1h, 4h or 1d.", metavar="[INTERVAL]")
    ] = "1m",
    start_time: Annotated[str | None, typer.Option(help="First open time.")] = None,
    end_time: Annotated[str | None, typer.Option(help="Candles that open before this.")] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Greatest number of candles.")] = 30,
    json: Json = False,
) -> None:
    """List candles, oldest first.

    Example: `tradewire candles BTC-USD 5m --count 12`
    """
    from tradewire_server.cli.rendering import print_json, show, table

    async with options.public_client() as client:
        with as_typed():
            reply = client.market.candles(
                symbol,
                interval,  # type: ignore[arg-type]
                start_time=time_of(start_time),
                end_time=time_of(end_time),
                page_size=count,
            )
            found = await reply
    if json:
        print_json(found)
    else:
        show(table(found, CANDLE_COLUMNS, empty="no trades in that time"))


@with_venue
async def instruments(options: VenueOptions, json: Json = False) -> None:
    """List the instruments and their rules.

    Example: `tradewire instruments --json`
    """
    from tradewire_server.cli.rendering import print_json

    async with options.public_client() as client:
        found = await client.market.instruments()
    if json:
        print_json(found)
    else:
        show_instruments(found)


def show_instruments(found: "Sequence[Instrument]") -> None:
    """Print instruments for people."""
    from tradewire_server.cli.rendering import show, table

    optional = OPTIONAL_INSTRUMENT_COLUMNS
    show(table(found, INSTRUMENT_COLUMNS, optional=optional, empty="no instruments"))


def add_to(app: typer.Typer) -> None:
    """Put the commands under the program's name."""
    for command in (book, trades, ticker, candles, instruments):
        app.command(rich_help_panel="Market data")(command)
