"""The book as people read it."""

import io
from decimal import Decimal

from rich.console import Console
from tradewire_client import Book, PriceLevel, Side, Trade
from tradewire_server.cli.ladder import BAR_WIDTH, decimals, ladder


def _levels(*levels: tuple[str, str]) -> tuple[PriceLevel, ...]:
    return tuple(
        PriceLevel(price=Decimal(price), quantity=Decimal(quantity)) for price, quantity in levels
    )


def _lines(book: Book, *trades: Trade) -> list[str]:
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(ladder(book, trades, depth=2))
    return [line.rstrip() for line in console.export_text().splitlines()]


def _book(bids: tuple[PriceLevel, ...], asks: tuple[PriceLevel, ...]) -> Book:
    return Book(symbol="BTC-USD", epoch=1, sequence=42, bids=bids, asks=asks)


def test_asks_stand_above_bids_and_numbers_under_each_other() -> None:
    book = _book(
        _levels(("99.5", "1"), ("99", "0.25"), ("98", "9")), _levels(("100", "2"), ("101.25", "1"))
    )
    bars = {share: "█" * int(BAR_WIDTH * share) for share in (1, 0.5, 0.125)}
    assert _lines(book) == [
        "BTC-USD  #42",
        f"    101.25  1.00  {bars[0.5]}",
        f"    100.00  2.00  {bars[1]}",
        "spread 0.5",
        f"     99.50  1.00  {bars[0.5]}",
        f"     99.00  0.25  {bars[0.125]}",
    ]


def test_empty_and_one_sided_books_are_said_to_be() -> None:
    assert "empty" in _lines(_book((), ()))[1]
    assert "one-sided" in _lines(_book(_levels(("1", "1")), ()))[1]


def test_the_newest_trade_stands_on_top() -> None:
    trades = [
        Trade(trade_id=n, price=Decimal(n), quantity=Decimal(1), taker_side=Side.BUY, time_ns=n)
        for n in (1, 2)
    ]
    text = "\n".join(_lines(_book((), ()), *trades))
    assert "Trades" in text
    assert text.index("00:00:00  2  1") < text.index("00:00:00  1  1")


def test_decimals_show_every_value_in_full() -> None:
    assert decimals([Decimal("1.50"), Decimal("2.125")]) == 3
    assert decimals([Decimal(100), Decimal("1E+2")]) == 0
    assert decimals([]) == 0
