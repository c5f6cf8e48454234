"""Public market data: instruments, books, trades, candles."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Literal, TypeAlias

import grpc.aio

from tradewire_client._book import DEPTH_MAX, DEPTH_MIN, Book, LocalBook, OutOfSync, book_of
from tradewire_client._calls import Caller, Metadata
from tradewire_client._cursor import Cursor
from tradewire_client._enums import enum_value
from tradewire_client._errors import BookCorrupted, ConfigurationError, Unavailable
from tradewire_client._gen.stubs import MarketDataServiceStub
from tradewire_client._gen.tradewire import v1
from tradewire_client._pages import Listing, Page, Pages
from tradewire_client._streams import Plumbing, SupervisedStream
from tradewire_client._times import require_aware
from tradewire_client._values import Candle, Instrument, Ticker, Trade

logger = logging.getLogger("tradewire_client.market")

CandleIntervalLike: TypeAlias = "v1.CandleInterval | Literal['1m', '5m', '15m', '1h', '4h', '1d']"

# Fresh snapshots in a row that do not help before the copy is given up.
_RESYNCS_MAX = 3
_RESYNC_PAUSE_S = 0.2
_TRADES_PAGE = 1000


class BookStream(SupervisedStream[v1.StreamMarketDataResponse, Book]):
    """The books of instruments as they change; see `Market.book`."""

    def __init__(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[
            v1.StreamMarketDataRequest, v1.StreamMarketDataResponse
        ],
        symbols: Sequence[str],
        depth: int,
        plumbing: Plumbing,
    ) -> None:
        _check_depth(depth)
        super().__init__(plumbing)
        self._world = plumbing.world
        self._method = method
        self._symbols = tuple(symbols)
        self._depth = depth
        self._books: dict[str, LocalBook] = {}
        self._resyncs = 0
        self.resync_count = 0
        """How often a copy was lost and taken anew."""

    async def _before_reopening(self) -> None:
        if self._resyncs:
            await self._world.sleep(self._resyncs * self._world.random() * _RESYNC_PAUSE_S)

    def _open(
        self, metadata: Metadata
    ) -> grpc.aio.UnaryStreamCall[v1.StreamMarketDataRequest, v1.StreamMarketDataResponse]:
        # Each opening begins with snapshots.
        depth = max(self._depth, DEPTH_MIN)
        self._books = {symbol: LocalBook(symbol, depth=depth) for symbol in self._symbols}
        request = v1.StreamMarketDataRequest(
            symbols=list(self._symbols), depth=depth, without_trades=True
        )
        return self._method(request, metadata=tuple(metadata))

    def _accept(self, message: v1.StreamMarketDataResponse) -> Iterator[Book]:
        change = None if message.batch is None else message.batch.book
        if change is None or change.symbol not in self._books:
            return
        book = self._books[change.symbol]
        try:
            book.apply(change)
        except OutOfSync as error:
            self._resync(error)
            return
        if not change.snapshot:
            # The copy held: a later mismatch is another accident.
            self._resyncs = 0
        yield book.view(self._depth)

    def _resync(self, error: OutOfSync) -> None:
        self._resyncs += 1
        self.resync_count += 1
        if self._resyncs > _RESYNCS_MAX:
            raise BookCorrupted(
                f"{self._resyncs} copies in a row failed their check, the last one: {error}"
            ) from error
        logger.warning("taking a fresh snapshot: %s", error)
        self._drop_call()


class TradeStream(SupervisedStream[v1.StreamMarketDataResponse, "list[Trade]"]):
    """Public trades in batches as they were sent; what was missed is not fetched."""

    def __init__(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[
            v1.StreamMarketDataRequest, v1.StreamMarketDataResponse
        ],
        symbol: str,
        plumbing: Plumbing,
    ) -> None:
        super().__init__(plumbing)
        self._method = method
        self._symbol = symbol

    def _open(
        self, metadata: Metadata
    ) -> grpc.aio.UnaryStreamCall[v1.StreamMarketDataRequest, v1.StreamMarketDataResponse]:
        request = v1.StreamMarketDataRequest(symbols=[self._symbol], without_book=True)
        return self._method(request, metadata=tuple(metadata))

    def _accept(self, message: v1.StreamMarketDataResponse) -> Iterator[list[Trade]]:
        if message.caught_up is not None:
            # Nothing to hand out, but the reader may now fetch what it missed.
            yield []
        elif message.batch is not None and message.batch.trades:
            yield [Trade.from_message(trade) for trade in message.batch.trades]


class Market:
    """Instruments, books, trades and candles; no key is needed."""

    def __init__(self, stub: MarketDataServiceStub, caller: Caller, plumbing: Plumbing) -> None:
        self._stub = stub
        self._caller = caller
        self._plumbing = plumbing

    def instruments(self, *, page_size: int = 1000) -> Pages[Instrument]:
        """List the instruments and their rules."""
        request = v1.ListInstrumentsRequest(page_size=page_size)
        return Pages(partial(self._instruments_page, request, ""))

    async def instrument(self, symbol: str) -> Instrument:
        """Return one instrument.

        Raises:
            NotFound: there is none of this symbol.
        """
        request = v1.GetInstrumentRequest(symbol=symbol)
        response = await self._caller.call(self._stub.get_instrument, request)
        return Instrument.from_message(response.instrument or v1.Instrument())

    def book(self, symbol: str, *, depth: int = 10) -> BookStream:
        """Follow an order book: each item is the book after a change.

        The copy is kept from a snapshot and updates, checked by sequence and checksum, and taken
        anew by itself when it is lost. A slow reader gets fewer, merged changes.
        """
        return BookStream(self._stub.stream_market_data, (symbol,), depth, self._plumbing)

    def books(self, symbols: Sequence[str], *, depth: int = 10) -> BookStream:
        """Follow the order books of several instruments; each item says its symbol."""
        return BookStream(self._stub.stream_market_data, symbols, depth, self._plumbing)

    async def get_book(self, symbol: str, *, depth: int = 10) -> Book:
        """Return the best levels of a book as they are now."""
        _check_depth(depth)
        request = v1.GetOrderBookRequest(symbol=symbol, depth=max(depth, DEPTH_MIN))
        response = await self._caller.call(self._stub.get_order_book, request)
        return book_of(response.book or v1.OrderBook(snapshot=True), depth=depth)

    async def trades(
        self, symbol: str, *, after_trade_id: int | None = None, page_size: int = 100
    ) -> list[Trade]:
        """Return the newest trades, or those after a number, in ascending order."""
        request = v1.ListTradesRequest(
            symbol=symbol, after_trade_id=after_trade_id, page_size=page_size
        )
        response = await self._caller.call(self._stub.list_trades, request)
        return [Trade.from_message(trade) for trade in response.trades]

    async def follow_trades(
        self, symbol: str, *, after_trade_id: int | None = None
    ) -> AsyncIterator[Trade]:
        """Iterate over trades as they happen, after a number or from now, each exactly once.

        The stream skips trades for slow readers and during disconnects; they are fetched by their
        numbers.
        """
        cursor = Cursor(f"trades of {symbol}", last=after_trade_id, journal_id="")
        async with TradeStream(self._stub.stream_market_data, symbol, self._plumbing) as stream:
            async for batch in stream:
                if cursor.last is None and not batch:
                    newest = await self.trades(symbol, page_size=1)
                    cursor.confirm(newest[-1].trade_id if newest else 0)
                upto = batch[0].trade_id - 1 if batch else None
                async for trade in self._missed(symbol, cursor, upto):
                    yield trade
                for trade in batch:
                    if cursor.last is None or trade.trade_id > cursor.last:
                        cursor.advance(trade.trade_id)
                        yield trade

    async def _missed(self, symbol: str, cursor: Cursor, upto: int | None) -> AsyncIterator[Trade]:
        """Fetch the trades between the cursor and a number, or all that there are by now."""
        while cursor.last is not None and (upto is None or cursor.last < upto):
            page = await self.trades(symbol, after_trade_id=cursor.last, page_size=_TRADES_PAGE)
            if not page:
                if upto is not None:
                    raise Unavailable(f"trades {cursor.last + 1} to {upto} cannot be fetched")
                return
            for trade in page:
                cursor.advance(trade.trade_id)
                yield trade

    async def ticker(self, symbol: str) -> Ticker:
        """Sum up the last 24 hours."""
        request = v1.GetTickerRequest(symbol=symbol)
        response = await self._caller.call(self._stub.get_ticker, request)
        return Ticker.from_message(response.ticker or v1.Ticker())

    async def candles(
        self,
        symbol: str,
        interval: CandleIntervalLike,
        *,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        page_size: int = 100,
    ) -> list[Candle]:
        """Return candles, oldest first; intervals without a trade have none."""
        request = v1.ListCandlesRequest(
            symbol=symbol,
            interval=enum_value(v1.CandleInterval, interval, name="interval"),
            start_time=require_aware(start_time, name="start_time"),
            end_time=require_aware(end_time, name="end_time"),
            page_size=page_size,
        )
        response = await self._caller.call(self._stub.list_candles, request)
        return [Candle.from_message(candle) for candle in response.candles]

    async def _instruments_page(
        self, request: v1.ListInstrumentsRequest, token: str
    ) -> Page[Instrument]:
        page = replace(request, page_token=token)
        response = await self._caller.call(self._stub.list_instruments, page)
        token = response.next_page_token
        return Page(
            items=Listing(map(Instrument.from_message, response.instruments)),
            next=partial(self._instruments_page, request, token) if token else None,
        )


def _check_depth(depth: int) -> None:
    if not 1 <= depth <= DEPTH_MAX:
        raise ConfigurationError(f"depth is 1 to {DEPTH_MAX}, not {depth}")
