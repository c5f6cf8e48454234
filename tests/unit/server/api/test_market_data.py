"""Checksums of books."""

import pytest
from tradewire_server.api.market_data import book_checksum

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
