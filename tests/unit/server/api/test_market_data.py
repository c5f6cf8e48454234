"""Checksums of books and candles of any length."""

import pytest
from tradewire_server.api.market_data import book_checksum, merge_candles
from tradewire_server.journal.records import CandleRow

from tests.support.book_mirror import checksum
from tests.support.venue import BTC_USD


def test_the_checksum_has_the_published_test_vector() -> None:
    assert book_checksum(BTC_USD, [(10050, 20000), (10000, 15000)], [(10100, 30000)]) == 492654767


@pytest.mark.parametrize(("bids", "asks"), [(0, 0), (1, 0), (0, 1), (3, 12), (25, 25)])
def test_the_checksum_covers_the_ten_best_levels_that_there_are(bids: int, asks: int) -> None:
    bid_levels = [(10_000 - number, 10_000 + number) for number in range(bids)]
    ask_levels = [(10_001 + number, 5_000 + number) for number in range(asks)]

    def texts(levels: list[tuple[int, int]]) -> list[tuple[str, str]]:
        return [
            (BTC_USD.format_price(ticks), BTC_USD.format_quantity(lots)) for ticks, lots in levels
        ]

    assert book_checksum(BTC_USD, bid_levels, ask_levels) == checksum(
        texts(bid_levels), texts(ask_levels)
    )


def row(minute: int, *prices: int, volume: int = 1) -> CandleRow:
    first, last = prices[0], prices[-1]
    return CandleRow("BTC-USD", minute, first, max(prices), min(prices), last, volume, len(prices))


def test_candles_of_minutes_make_those_of_longer_intervals() -> None:
    rows = [row(3, 10, 12), row(4, 15, 9), row(5, 11), row(11, 7, volume=5)]
    assert merge_candles(rows, 5) == [
        CandleRow("BTC-USD", 0, 10, 15, 9, 9, 2, 4),
        CandleRow("BTC-USD", 5, 11, 11, 11, 11, 1, 1),
        CandleRow("BTC-USD", 10, 7, 7, 7, 7, 5, 1),
    ]


def test_candles_of_a_minute_stay_as_they_are() -> None:
    rows = [row(3, 10, 12), row(4, 15, 9)]
    assert merge_candles(rows, 1) == rows
    assert merge_candles([], 60) == []
