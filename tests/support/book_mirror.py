"""A client's copy of a book, kept from the stream by the contract's words and by nothing else."""

import zlib
from collections.abc import Sequence
from decimal import Decimal

from tradewire.v1 import market_data_service_pb2, market_pb2

Levels = list[tuple[str, str]]


def checksum(bids: Levels, asks: Levels) -> int:
    """Return the CRC32 of the top ten levels as the contract describes it."""
    texts = []
    for rank in range(10):
        for side in (bids, asks):
            texts += [f"{price}:{quantity}" for price, quantity in side[rank : rank + 1]]
    return zlib.crc32("|".join(texts).encode("ascii"))


def levels_of(levels: object) -> Levels:
    """Return the contract's price levels as pairs."""
    return [(level.price, level.quantity) for level in levels]  # type: ignore[attr-defined]


class BookMirror:
    """The copy. Each message is checked as a careful client would."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.epoch = 0
        self.sequence = 0
        self.snapshots = 0
        self._followed = 0
        self._bids: dict[str, str] = {}
        self._asks: dict[str, str] = {}

    @property
    def bids(self) -> Levels:
        """Best first."""
        return sorted(self._bids.items(), key=lambda level: Decimal(level[0]), reverse=True)

    @property
    def asks(self) -> Levels:
        """Best first."""
        return sorted(self._asks.items(), key=lambda level: Decimal(level[0]))

    def follow(self, messages: Sequence[market_data_service_pb2.MarketDataBatch]) -> None:
        """Take what is new in a growing list of messages."""
        for message in messages[self._followed :]:
            if message.HasField("book") and message.book.symbol == self.symbol:
                self.apply(message.book)
        self._followed = len(messages)

    def apply(self, book: market_pb2.OrderBook) -> None:
        """Take a snapshot or an update."""
        assert book.symbol == self.symbol
        if book.snapshot:
            assert book.previous_sequence == 0
            self.snapshots += 1
            self._bids, self._asks = {}, {}
        else:
            assert self.snapshots, "the first message of a book is a snapshot"
            assert book.epoch == self.epoch
            assert book.previous_sequence == self.sequence, "an update continues the last message"
            assert book.sequence > self.sequence
        for side, levels in ((self._bids, book.bids), (self._asks, book.asks)):
            for level in levels:
                if level.quantity == "0":
                    assert side.pop(level.price, None) is not None, "a level that was there"
                else:
                    side[level.price] = level.quantity
        self.epoch, self.sequence = book.epoch, book.sequence
        assert book.checksum == checksum(self.bids, self.asks)
        assert levels_of(book.bids) == sorted(
            levels_of(book.bids), key=lambda level: -Decimal(level[0])
        )
        assert levels_of(book.asks) == sorted(
            levels_of(book.asks), key=lambda level: Decimal(level[0])
        )
