"""Books that change as told, in front of market data, and clients that keep copies of them."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any, NamedTuple

from tradewire_server.feeds import FeedChunk, FeedKind, split, wrap
from tradewire_server.streams.inbox import CaughtUp
from tradewire_server.streams.market_data import MarketBounds, MarketData
from tradewire_server.streams.market_subscription import MarketMessage, MarketSubscription
from tradewire_server.streams.view import Level

from tests.unit.server.streams.stage import ManualClock, turn

EPOCH = 7


class Book(NamedTuple):
    """An encoded book, decoded."""

    symbol: str
    epoch: int
    sequence: int
    previous_sequence: int
    snapshot: bool
    bids: list[Level]
    asks: list[Level]
    checksum: int


def book_checksum(symbol: str, bids: list[Level], asks: list[Level]) -> int:
    return zlib.crc32(repr((symbol, bids[:10], asks[:10])).encode())


class Exchange:
    """Books and the state of the venue."""

    def __init__(self, bounds: MarketBounds | None = None) -> None:
        self.bids: dict[str, dict[int, int]] = {}
        self.asks: dict[str, dict[int, int]] = {}
        self.sequence = 100
        self.settled = True
        self.clock = ManualClock()
        self.clock.now_ns = 1_000_000_000
        self.encoded: list[Book] = []
        self.reads: list[tuple[str, int]] = []
        self.trade_ids: dict[str, int] = {}
        self.market = MarketData(
            levels=self.levels,
            encode_book=self.encode_book,
            checksum=book_checksum,
            epoch=EPOCH,
            sequence=self.sequence,
            clock_ns=self.clock.read_ns,
            settled=lambda: self.settled,
            bounds=bounds,
            call_later=self.clock.call_later,
        )

    def levels(self, symbol: str, depth: int, /) -> tuple[list[Level], list[Level]]:
        assert self.settled, "levels of a state that could still be lost"
        self.reads.append((symbol, depth))
        bids = sorted(self.bids.get(symbol, {}).items(), reverse=True)
        asks = sorted(self.asks.get(symbol, {}).items())
        return bids[:depth], asks[:depth]

    def encode_book(
        self,
        *,
        symbol: str,
        epoch: int,
        sequence: int,
        previous_sequence: int,
        snapshot: bool,
        bids: list[Level],
        asks: list[Level],
        checksum: int,
    ) -> bytes:
        self.encoded.append(
            Book(symbol, epoch, sequence, previous_sequence, snapshot, bids, asks, checksum)
        )
        return b"%d" % (len(self.encoded) - 1)

    def decode(self, data: bytes) -> Book:
        return self.encoded[int(data)]

    def set(self, symbol: str, *, bid: Level | None = None, ask: Level | None = None) -> None:
        """Change levels in the engine, where nobody knows of it yet."""
        for side, level in ((self.bids, bid), (self.asks, ask)):
            if level is not None:
                side.setdefault(symbol, {})[level[0]] = level[1]
                if not level[1]:
                    del side[symbol][level[0]]

    def trades(self, symbol: str, count: int) -> list[FeedChunk]:
        first = self.trade_ids.get(symbol, 0) + 1
        self.trade_ids[symbol] = last = first + count - 1
        data = b"".join(wrap(b"%d" % number) for number in range(first, last + 1))
        return [FeedChunk(FeedKind.TRADES, symbol, first, last, data)] if count else []

    def commit(self, *symbols: str, chunks: list[FeedChunk] | None = None) -> None:
        """Say that the state of now is durable."""
        self.sequence += 1
        self.settled = True
        self.market.changed(symbols, self.sequence, chunks or [])

    def change(
        self, symbol: str, *, bid: Level | None = None, ask: Level | None = None, trades: int = 0
    ) -> None:
        """Change levels, trade, and commit."""
        self.set(symbol, bid=bid, ask=ask)
        self.commit(symbol, chunks=self.trades(symbol, trades))


class Copy:
    """What one client knows of one book."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.sequence: int | None = None

    def apply(self, book: Book) -> None:
        """Take a message as the contract says, and check all that it says."""
        if book.snapshot:
            assert book.previous_sequence == 0
            self.bids, self.asks = {}, {}
        else:
            assert book.previous_sequence == self.sequence
            assert book.sequence > book.previous_sequence
        assert book.epoch == EPOCH
        for side, levels in ((self.bids, book.bids), (self.asks, book.asks)):
            for price, lots in levels:
                side[price] = lots
                if not lots:
                    del side[price]
        self.sequence = book.sequence
        assert book.checksum == book_checksum(book.symbol, *self.levels())
        assert max(len(self.bids), len(self.asks)) <= self.depth

    def levels(self) -> tuple[list[Level], list[Level]]:
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())


class Client:
    """A subscriber that keeps copies of the books and remembers the trades."""

    def __init__(self, exchange: Exchange, subscription: MarketSubscription, depth: int) -> None:
        self.exchange = exchange
        self.subscription = subscription
        self.copies = {symbol: Copy(depth) for symbol in subscription.views}
        self.trade_ids: dict[str, list[int]] = {symbol: [] for symbol in subscription.views}
        self.snapshots: list[str] = []
        self.items: list[Any] = []

    async def take(self) -> list[Any]:
        """Take what there is; nothing when it stays quiet."""
        taking = asyncio.create_task(self.subscription.take(0.0))
        await turn()
        if not taking.done():
            self.exchange.clock.advance_ms(0)
        items = await taking
        self.items += items
        for item in items:
            if isinstance(item, MarketMessage):
                self._apply(item)
        return items

    async def take_until_quiet(self) -> None:
        while await self.take():
            pass

    def _apply(self, message: MarketMessage) -> None:
        if message.book is not None:
            book = self.exchange.decode(message.book)
            assert book.symbol == message.symbol
            self.copies[message.symbol].apply(book)
            if book.snapshot:
                self.snapshots.append(message.symbol)
        ids = [int(data) for data in split(message.trades)]
        if ids:
            assert ids == list(range(message.first_trade_id, message.last_trade_id + 1))
            known = self.trade_ids[message.symbol]
            assert not known or ids[0] > known[-1]
            known += ids

    def caught_up(self) -> list[int]:
        return [item.as_of for item in self.items if isinstance(item, CaughtUp)]
