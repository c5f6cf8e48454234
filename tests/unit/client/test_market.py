"""Market data: books that heal, trades that are complete, lists."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import grpc
import pytest
import tradewire_client as tw
from tradewire.v1 import market_data_service_pb2 as md
from tradewire.v1 import market_pb2, stream_pb2

from tests.unit.client.fake_venue import FakeTime, FakeVenue, bare_fault, caught_up

Response = md.StreamMarketDataResponse
SYMBOL = "BTC-USD"


def book(
    sequence: Any,
    bids: Any = "",
    *,
    previous: Any = 0,
    epoch: Any = 1,
    crc: Any = None,
    top: Any = None,
    symbol: Any = SYMBOL,
) -> Any:
    levels = [
        market_pb2.PriceLevel(price=price, quantity=quantity)
        for price, quantity in (part.split(":") for part in bids.split())
    ]
    text = "|".join((top if top is not None else bids).split())
    return market_pb2.OrderBook(
        symbol=symbol,
        epoch=epoch,
        sequence=sequence,
        previous_sequence=previous,
        snapshot=previous == 0,
        bids=levels,
        checksum=zlib.crc32(text.encode()) if crc is None else crc,
    )


def change(*args: Any, **kwargs: Any) -> Any:
    return Response(batch=md.MarketDataBatch(book=book(*args, **kwargs)))


def trade(number: Any) -> Any:
    return market_pb2.Trade(trade_id=number, symbol=SYMBOL, price="100", quantity="1")


def trades(*numbers: Any) -> Any:
    return Response(batch=md.MarketDataBatch(trades=[trade(number) for number in numbers]))


def streams(*plans: Any) -> Any:
    """Return a handler that sends one plan per stream; the last stream stays open."""
    remaining = list(plans)

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        for message in remaining.pop(0):
            if isinstance(message, Exception):
                raise message
            yield message
        if not remaining:
            await asyncio.Event().wait()

    return stream


@contextlib.asynccontextmanager
async def served(**handlers: Any) -> AsyncIterator[Any]:
    clock = FakeTime()
    async with FakeVenue() as venue:
        venue.on(**handlers)
        async with venue.client(world=clock.world()) as client:
            yield venue, client


async def tops(stream: Any, count: Any) -> Any:
    found = []
    for _ in range(count):
        item = await anext(stream)
        found.append((item.sequence, str(item.best_bid.price), str(item.best_bid.quantity)))
    return found


async def test_a_book_is_kept_from_a_snapshot_and_its_updates() -> None:
    plan = [
        change(1, "100:1"),
        Response(caught_up=caught_up(0)),
        change(2, "101:2", previous=1, top="101:2 100:1"),
        Response(heartbeat=stream_pb2.Heartbeat()),
        change(3, "101:0", previous=2, top="100:1"),
    ]
    async with served(StreamMarketData=streams(plan)) as (venue, client):
        stream = client.market.book(SYMBOL, depth=5)
        assert await tops(stream, 3) == [(1, "100", "1"), (2, "101", "2"), (3, "100", "1")]
        (request,) = venue.requests("StreamMarketData")
        assert (list(request.symbols), request.depth, request.without_trades) == (
            [SYMBOL],
            10,
            True,
        )
        assert stream.resync_count == 0


@pytest.mark.parametrize(
    "bad",
    [
        change(2, "101:1", previous=1, crc=1),
        change(3, "101:1", previous=2, top="101:1 100:1"),
        change(2, "101:1", previous=1, epoch=2, top="101:1 100:1"),
    ],
    ids=["checksum", "sequence", "epoch"],
)
async def test_a_copy_that_is_lost_is_taken_anew(bad: Any) -> None:
    again = [change(9, "99:1"), change(10, "99:2", previous=9, top="99:2")]
    async with served(StreamMarketData=streams([change(1, "100:1"), bad], again)) as (_, client):
        stream = client.market.book(SYMBOL)
        assert await tops(stream, 3) == [(1, "100", "1"), (9, "99", "1"), (10, "99", "2")]
        assert stream.resync_count == 1


async def test_a_book_that_never_fits_is_given_up() -> None:
    plan = [change(1, "100:1", crc=5)]
    async with served(StreamMarketData=streams(*[plan] * 9)) as (venue, client):
        with pytest.raises(tw.BookCorrupted, match="4 copies in a row failed their check"):
            await anext(client.market.book(SYMBOL))
        assert len(venue.requests("StreamMarketData")) == 4


async def test_accidents_far_apart_do_not_add_up() -> None:
    def plan(sequence: Any) -> Any:
        return [
            change(sequence, "100:1"),
            change(sequence + 1, "100:2", previous=sequence, top="100:2"),
            change(sequence + 2, "100:3", previous=sequence + 1, crc=1),
        ]

    plans = [plan(10 * n) for n in range(1, 9)]
    async with served(StreamMarketData=streams(*plans)) as (_, client):
        found = await tops(client.market.book(SYMBOL), 16)
        assert [sequence for sequence, _, _ in found] == [
            number for n in range(1, 9) for number in (10 * n, 10 * n + 1)
        ]


async def test_a_book_goes_on_after_a_disconnect_with_a_snapshot() -> None:
    lost = bare_fault(grpc.StatusCode.UNAVAILABLE)
    plans = [[change(1, "100:1"), lost], [change(1, "98:1", epoch=2)]]
    async with served(StreamMarketData=streams(*plans)) as (_, client):
        assert await tops(client.market.book(SYMBOL), 2) == [(1, "100", "1"), (1, "98", "1")]


async def test_a_slow_reader_gets_a_fresh_snapshot_in_the_same_stream() -> None:
    async with served(StreamMarketData=streams([change(1, "100:1"), change(7, "97:1")])) as (
        _,
        client,
    ):
        stream = client.market.book(SYMBOL)
        assert await tops(stream, 2) == [(1, "100", "1"), (7, "97", "1")]
        assert stream.resync_count == 0


async def test_books_of_several_instruments_are_kept_apart() -> None:
    plan = [change(1, "100:1"), change(1, "10:1", symbol="ETH-USD")]
    async with served(StreamMarketData=streams(plan)) as (_, client):
        stream = client.market.books([SYMBOL, "ETH-USD"])
        found = [await anext(stream) for _ in range(2)]
        assert [item.symbol for item in found] == [SYMBOL, "ETH-USD"]


@pytest.mark.parametrize("depth", [0, 1001])
async def test_a_depth_that_there_is_not_is_refused_here(depth: Any) -> None:
    async with served() as (_, client):
        with pytest.raises(tw.ConfigurationError, match="depth is 1 to 1000"):
            client.market.book(SYMBOL, depth=depth)


async def test_a_single_book_is_checked_and_cut() -> None:
    def get(request: Any, context: Any) -> Any:
        assert request.depth == 10
        return md.GetOrderBookResponse(book=book(4, "100:1 99:1"))

    async with served(GetOrderBook=get) as (_, client):
        found = await client.market.get_book(SYMBOL, depth=1)
        assert [level.price for level in found.bids] == [Decimal(100)]


class Tape:
    """The trades of an instrument, as the list gives them."""

    def __init__(self, last: Any) -> None:
        self.last = last

    def list(self, request: Any, context: Any) -> Any:
        if not request.HasField("after_trade_id"):
            return md.ListTradesResponse(trades=[trade(self.last)] if self.last else [])
        numbers = range(request.after_trade_id + 1, self.last + 1)
        return md.ListTradesResponse(trades=[trade(n) for n in numbers[: request.page_size]])


async def read_trades(client: Any, count: Any, **options: Any) -> Any:
    found = []
    stream = client.market.follow_trades(SYMBOL, **options)
    async for item in stream:
        found.append(item.trade_id)
        if len(found) == count:
            break
    await stream.aclose()
    return found


CAUGHT_UP = Response(caught_up=caught_up(0))


async def test_trades_are_followed_from_now() -> None:
    tape = Tape(5)
    plan = [CAUGHT_UP, trades(6, 7), trades(8)]
    async with served(StreamMarketData=streams(plan), ListTrades=tape.list) as (_, client):
        assert await read_trades(client, 3) == [6, 7, 8]


async def test_trades_are_followed_from_a_number() -> None:
    tape = Tape(5)
    plan = [CAUGHT_UP, trades(6)]
    async with served(StreamMarketData=streams(plan), ListTrades=tape.list) as (_, client):
        assert await read_trades(client, 4, after_trade_id=2) == [3, 4, 5, 6]


async def test_trades_that_a_slow_reader_missed_are_fetched() -> None:
    tape = Tape(9)
    plan = [CAUGHT_UP, trades(10), trades(14, 15)]
    async with served(StreamMarketData=streams(plan), ListTrades=tape.list) as (_, client):
        stream = client.market.follow_trades(SYMBOL)
        assert (await anext(stream)).trade_id == 10
        tape.last = 15
        assert [(await anext(stream)).trade_id for _ in range(5)] == [11, 12, 13, 14, 15]
        await stream.aclose()


async def test_trades_during_a_disconnect_are_fetched() -> None:
    tape = Tape(5)
    lost = bare_fault(grpc.StatusCode.UNAVAILABLE)
    plans = [[CAUGHT_UP, trades(6), lost], [CAUGHT_UP, trades(9)]]
    async with served(StreamMarketData=streams(*plans), ListTrades=tape.list) as (_, client):
        stream = client.market.follow_trades(SYMBOL)
        assert (await anext(stream)).trade_id == 6
        tape.last = 8
        assert [(await anext(stream)).trade_id for _ in range(3)] == [7, 8, 9]
        await stream.aclose()


async def test_lists_and_single_things() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    pages = {
        "": md.ListInstrumentsResponse(
            instruments=[market_pb2.Instrument(symbol="A-B", tick_size="0.01")], next_page_token="x"
        ),
        "x": md.ListInstrumentsResponse(instruments=[market_pb2.Instrument(symbol="C-D")]),
    }
    candle = market_pb2.Candle(open_price="1", close_price="2", trade_count=3)
    candle.open_time.FromDatetime(at)
    async with served(
        ListInstruments=lambda request, context: pages[request.page_token],
        GetInstrument=lambda request, context: md.GetInstrumentResponse(
            instrument=market_pb2.Instrument(symbol=request.symbol)
        ),
        GetTicker=lambda request, context: md.GetTickerResponse(
            ticker=market_pb2.Ticker(symbol=request.symbol, last_price="5.5")
        ),
        ListCandles=lambda request, context: md.ListCandlesResponse(candles=[candle]),
        ListTrades=Tape(3).list,
    ) as (venue, client):
        assert [item.symbol async for item in client.market.instruments()] == ["A-B", "C-D"]
        assert (await client.market.instrument("A-B")).symbol == "A-B"
        assert (await client.market.ticker("A-B")).last_price == Decimal("5.5")
        (found,) = await client.market.candles("A-B", "5m", start_time=at)
        assert (found.open_time, found.close_price) == (at, Decimal(2))
        assert venue.requests("ListCandles")[0].interval == 2
        assert [item.trade_id for item in await client.market.trades("A-B")] == [3]
