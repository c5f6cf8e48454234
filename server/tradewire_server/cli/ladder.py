"""An order book as people read it: asks above, bids below, depth as bars, the newest trades beside.

Everything that moves is drawn from one book and a few trades; nothing here asks the venue.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from tradewire_client import Book, PriceLevel, Trade

from tradewire_server.cli.rendering import cell, clock_text, row_style

BAR_WIDTH = 20
_BAR = "█"


class _Shape(NamedTuple):
    """What all rows have in common."""

    largest: Decimal
    price_decimals: int
    quantity_decimals: int


def ladder(book: Book, trades: Sequence[Trade], *, depth: int) -> RenderableType:
    """Return a book, and the newest trades if there are any."""
    levels = [*book.bids[:depth], *book.asks[:depth]]
    largest = max((level.quantity for level in levels), default=Decimal(0))
    shape = _Shape(
        largest, decimals(level.price for level in levels), decimals(x.quantity for x in levels)
    )
    prices = Table.grid(padding=(0, 2))
    for justify in ("right", "right", "left"):
        prices.add_column(justify=justify, no_wrap=True)
    for level in reversed(book.asks[:depth]):
        _add(prices, level, shape, "red")
    prices.add_row(Text(_middle(book), style="bold"))
    for level in book.bids[:depth]:
        _add(prices, level, shape, "green")
    title = Text(f"{book.symbol}  #{book.sequence}", style="bold")
    if not trades:
        return Group(title, prices)
    both = Table.grid(padding=(0, 6))
    both.add_row(Group(title, prices), Group(Text("Trades", style="bold"), _trades(trades)))
    return both


def decimals(values: Iterable[Decimal]) -> int:
    """Return how many decimals show all values in full, so that they stand under each other."""
    exponents = (value.as_tuple().exponent for value in values)
    return max((0, *(-exponent for exponent in exponents if isinstance(exponent, int))))


def _add(prices: Table, level: PriceLevel, shape: _Shape, style: str) -> None:
    width = int(level.quantity * BAR_WIDTH / shape.largest) if shape.largest else 0
    prices.add_row(
        f"{level.price:.{shape.price_decimals}f}",
        f"{level.quantity:.{shape.quantity_decimals}f}",
        Text(_BAR * max(1, width), style=style),
        style=style,
    )


def _middle(book: Book) -> str:
    if book.best_bid is None or book.best_ask is None:
        return "one-sided" if book.best_bid or book.best_ask else "empty"
    return f"spread {format(book.best_ask.price - book.best_bid.price, 'f')}"


def _trades(trades: Sequence[Trade]) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    for _ in range(3):
        rows.add_column(justify="right", no_wrap=True)
    for trade in reversed(trades):
        clock = clock_text(trade.time_ns)[11:19]
        rows.add_row(escape(clock), cell(trade.price), cell(trade.quantity), style=row_style(trade))
    return rows
