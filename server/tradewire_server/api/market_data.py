"""MarketDataService: instruments, books, trades, candles; public."""

import zlib
from collections.abc import AsyncIterator

from tradewire.v1 import market_data_service_pb2, market_data_service_pb2_grpc, market_pb2

from tradewire_server.api.admission import Admission
from tradewire_server.api.call import Call, current_call
from tradewire_server.api.convert import time_ns
from tradewire_server.api.edge import Context
from tradewire_server.api.encode import (
    candle_message,
    instrument_message,
    levels_of,
    timestamp,
)
from tradewire_server.api.errors import make_error
from tradewire_server.api.pages import name_page, page_size
from tradewire_server.api.streaming import (
    BATCH,
    StreamEnd,
    abandoned_when_stalled,
    caught_up,
    closed_when_unread,
    closing,
    closing_for,
    feed_page,
    heartbeat,
    stream_limit,
)
from tradewire_server.api.venue import Venue
from tradewire_server.api.wire import Preencoded, embed
from tradewire_server.auth.addresses import limit_subject
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.state import Market, State
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.feeds import FeedKind, split
from tradewire_server.journal.records import CandleRow
from tradewire_server.recorder import MINUTE_NS
from tradewire_server.streams.inbox import CaughtUp, Closed, TooManySubscriptions
from tradewire_server.streams.market_subscription import (
    MarketItem,
    MarketMessage,
    MarketSubscription,
)
from tradewire_server.streams.view import Level

DEFAULT_DEPTH = 10
CHECKSUM_DEPTH = 10
DAY_MINUTES = 24 * 60
# Longer than any history: a candle of all that is asked for.
ALL_MINUTES = DAY_MINUTES * 10**6
# How many minutes one read of candles goes over.
READ_MINUTES = 50_000
BOOK, TRADES = 1, 2

INTERVAL_MINUTES = {
    market_pb2.CANDLE_INTERVAL_1M: 1,
    market_pb2.CANDLE_INTERVAL_5M: 5,
    market_pb2.CANDLE_INTERVAL_15M: 15,
    market_pb2.CANDLE_INTERVAL_1H: 60,
    market_pb2.CANDLE_INTERVAL_4H: 240,
    market_pb2.CANDLE_INTERVAL_1D: DAY_MINUTES,
}


class BookEncoder:
    """Makes book messages for the shared views; see `streams.market_data`."""

    def __init__(self, state: State) -> None:
        self._state = state

    def levels(self, symbol: str, depth: int) -> tuple[list[Level], list[Level]]:
        """Return the best levels of both sides, best first."""
        book = self._state.markets[symbol].book
        return book.bids.top(depth), book.asks.top(depth)

    def checksum(self, symbol: str, bids: list[Level], asks: list[Level]) -> int:
        """Return the CRC32 that the contract describes."""
        return book_checksum(self._state.markets[symbol].instrument, bids, asks)

    def encode(
        self,
        symbol: str,
        epoch: int,
        sequence: int,
        previous_sequence: int,
        snapshot: bool,
        bids: list[Level],
        asks: list[Level],
        checksum: int,
    ) -> bytes:
        """Return a serialised OrderBook."""
        instrument = self._state.markets[symbol].instrument
        return market_pb2.OrderBook(
            symbol=symbol,
            epoch=epoch,
            sequence=sequence,
            previous_sequence=previous_sequence,
            snapshot=snapshot,
            bids=levels_of(instrument, bids),
            asks=levels_of(instrument, asks),
            checksum=checksum,
        ).SerializeToString()


def book_checksum(instrument: Instrument, bids: list[Level], asks: list[Level]) -> int:
    """Return the checksum of the top ten levels, as the contract's OrderBook describes it."""
    texts = []
    for rank in range(CHECKSUM_DEPTH):
        for side in (bids, asks):
            if rank < len(side):
                ticks, lots = side[rank]
                texts.append(f"{instrument.format_price(ticks)}:{instrument.format_quantity(lots)}")
    return zlib.crc32("|".join(texts).encode())


class MarketDataService(market_data_service_pb2_grpc.MarketDataServiceServicer):
    """See the contract."""

    def __init__(self, venue: Venue, admission: Admission, books: BookEncoder, epoch: int) -> None:
        self._venue = venue
        self._admission = admission
        self._books = books
        self._epoch = epoch

    async def ListInstruments(
        self, request: market_data_service_pb2.ListInstrumentsRequest, context: Context
    ) -> market_data_service_pb2.ListInstrumentsResponse:
        markets, token = name_page(self._venue.state.markets, request.page_token, request.page_size)
        response = market_data_service_pb2.ListInstrumentsResponse(
            instruments=[instrument_message(market.instrument) for market in markets],
            next_page_token=token,
        )
        await self._venue.sequencer.settled()
        return response

    async def GetInstrument(
        self, request: market_data_service_pb2.GetInstrumentRequest, context: Context
    ) -> market_data_service_pb2.GetInstrumentResponse:
        response = market_data_service_pb2.GetInstrumentResponse(
            instrument=instrument_message(self._market(request.symbol).instrument)
        )
        await self._venue.sequencer.settled()
        return response

    async def GetOrderBook(
        self, request: market_data_service_pb2.GetOrderBookRequest, context: Context
    ) -> market_data_service_pb2.GetOrderBookResponse:
        market = self._market(request.symbol)
        depth = request.depth or DEFAULT_DEPTH
        bids, asks = market.book.bids.top(depth), market.book.asks.top(depth)
        book = market_pb2.OrderBook(
            symbol=request.symbol,
            epoch=self._epoch,
            sequence=self._venue.state.event_number,
            snapshot=True,
            bids=levels_of(market.instrument, bids),
            asks=levels_of(market.instrument, asks),
            checksum=book_checksum(market.instrument, bids, asks),
        )
        await self._venue.sequencer.settled()
        return market_data_service_pb2.GetOrderBookResponse(book=book)

    async def ListTrades(
        self, request: market_data_service_pb2.ListTradesRequest, context: Context
    ) -> Preencoded:
        market = self._market(request.symbol)
        size = page_size(request.page_size)
        if request.HasField("after_trade_id"):
            after = request.after_trade_id
        else:
            await self._venue.sequencer.settled()
            last = self._venue.hub.head(FeedKind.TRADES, market.instrument.symbol)
            after = max(last - size, 0)
        entries, _ = await self._venue.read(
            feed_page, self._venue, FeedKind.TRADES, request.symbol, after=after, size=size
        )
        return entries

    async def GetTicker(
        self, request: market_data_service_pb2.GetTickerRequest, context: Context
    ) -> market_data_service_pb2.GetTickerResponse:
        market = self._market(request.symbol)
        instrument, now_ns = market.instrument, self._venue.clock_ns()
        bids = levels_of(instrument, market.book.bids.top(1))
        asks = levels_of(instrument, market.book.asks.top(1))
        ticker = market_pb2.Ticker(symbol=request.symbol, volume="0", time=timestamp(now_ns))
        if bids:
            ticker.best_bid.CopyFrom(bids[0])
        if asks:
            ticker.best_ask.CopyFrom(asks[0])
        if market.last_ticks:
            ticker.last_price = instrument.format_price(market.last_ticks)
            ticker.last_quantity = instrument.format_quantity(market.last_lots)
        await self._venue.sequencer.settled()
        minute = now_ns // MINUTE_NS
        rows = await self._venue.read(
            self._venue.journal.candles,
            request.symbol,
            start_minute=minute - DAY_MINUTES + 1,
            end_minute=minute + 1,
            limit=1,
            minutes=ALL_MINUTES,
        )
        if rows:
            (day,) = rows
            ticker.open_price = instrument.format_price(day.open)
            ticker.high_price = instrument.format_price(day.high)
            ticker.low_price = instrument.format_price(day.low)
            ticker.volume = instrument.format_quantity(day.volume)
            ticker.trade_count = day.trade_count
        return market_data_service_pb2.GetTickerResponse(ticker=ticker)

    async def ListCandles(
        self, request: market_data_service_pb2.ListCandlesRequest, context: Context
    ) -> market_data_service_pb2.ListCandlesResponse:
        instrument = self._market(request.symbol).instrument
        step = INTERVAL_MINUTES[request.interval]
        size = page_size(request.page_size)
        now_ns = self._venue.clock_ns()
        end_ns = time_ns(request, "end_time") or now_ns + 1
        # The last candle opens before the end; candles begin at whole multiples of their length.
        end = -(-end_ns // (MINUTE_NS * step)) * step
        start = end - size * step
        if request.HasField("start_time"):
            start = -(-time_ns(request, "start_time") // (MINUTE_NS * step)) * step
            end = min(end, start + size * step)
        rows: list[CandleRow] = []
        # In portions of whole candles, so that other reads have their turn.
        portion = max(READ_MINUTES // step, 1) * step
        for first in range(max(start, 0), end, portion):
            rows += await self._venue.read(
                self._venue.journal.candles,
                request.symbol,
                start_minute=first,
                end_minute=min(first + portion, end),
                limit=size,
                minutes=step,
            )
        return market_data_service_pb2.ListCandlesResponse(
            candles=[candle_message(instrument, row) for row in rows]
        )

    async def StreamMarketData(
        self, request: market_data_service_pb2.StreamMarketDataRequest, context: Context
    ) -> AsyncIterator[Preencoded]:
        venue = self._venue
        for index, symbol in enumerate(request.symbols):
            self._market(symbol, field=f"symbols[{index}]")
        if request.without_book and request.without_trades:
            text = "without_book and without_trades leave nothing to send"
            raise make_error(Reason.FIELDS_CONFLICT, text, field="without_trades")
        await venue.sequencer.settled()
        try:
            subscription = venue.market_data.subscribe(
                list(request.symbols),
                depth=request.depth or DEFAULT_DEPTH,
                book=not request.without_book,
                trades=not request.without_trades,
                owner=subscriber(current_call()),
            )
        except TooManySubscriptions as error:
            raise stream_limit(error, scope="address") from error
        end = StreamEnd(self._admission, current_call())
        with subscription, abandoned_when_stalled(subscription):
            async for message in self._messages(subscription, end):
                with closed_when_unread(subscription):
                    yield message

    async def _messages(
        self, subscription: MarketSubscription, end: StreamEnd
    ) -> AsyncIterator[bytes]:
        venue = self._venue
        while True:
            items = await subscription.take(venue.heartbeat_s)
            status = end.status()
            if status is not None:
                yield closing(status, 0)
                return
            if not items:
                yield heartbeat(venue, venue.market_data.sequence)
            for item in items:
                yield self._message(item)
                if isinstance(item, Closed):
                    return

    def _message(self, item: MarketItem) -> bytes:
        if isinstance(item, MarketMessage):
            batch = embed(BOOK, item.book) if item.book is not None else b""
            if item.trades:
                batch += b"".join(embed(TRADES, trade) for trade in split(item.trades))
            return embed(BATCH, batch)
        if isinstance(item, CaughtUp):
            return caught_up(self._venue, item.as_of)
        return closing_for(item.reason, 0)

    def _market(self, symbol: str, *, field: str = "symbol") -> Market:
        market = self._venue.state.markets.get(symbol)
        if market is None:
            raise make_error(
                Reason.INSTRUMENT_NOT_FOUND, f"there is no instrument {symbol}", field=field
            )
        return market


def subscriber(call: Call) -> str:
    """Return whom a subscription is counted for: where it comes from, nobody without an address."""
    return limit_subject(call.address) if call.address is not None else ""
