"""Public market data: pages, snapshots, and a stream from which a copy of the book can be kept."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tradewire.v1 import market_data_service_pb2, market_pb2, order_pb2
from tradewire_server.engine.commands import CreateInstrument

from tests.integration.conftest import Complaints, Floor
from tests.support.book_mirror import BookMirror, checksum, levels_of
from tests.support.failures import failure
from tests.support.tape import Tape
from tests.support.trading import (
    BUY,
    IOC,
    SELL,
    TIMEOUT_S,
    Follower,
    Trader,
    amend,
    cancel,
    limit,
)
from tests.support.venue import BTC_USD, Clock, RunningVenue, Stubs, running_venue

SYMBOL = "BTC-USD"
MINUTE_NS = 60 * 10**9


async def book_of(stubs: Stubs, *, depth: int = 0, symbol: str = SYMBOL) -> market_pb2.OrderBook:
    request = market_data_service_pb2.GetOrderBookRequest(symbol=symbol, depth=depth)
    return (await stubs.market.GetOrderBook(request, timeout=TIMEOUT_S)).book


async def trades_of(stubs: Stubs, **fields: object) -> list[market_pb2.Trade]:
    request = market_data_service_pb2.ListTradesRequest(symbol=SYMBOL, **fields)  # type: ignore[arg-type]
    return list((await stubs.market.ListTrades(request, timeout=TIMEOUT_S)).trades)


async def ticker_of(stubs: Stubs) -> market_pb2.Ticker:
    request = market_data_service_pb2.GetTickerRequest(symbol=SYMBOL)
    return (await stubs.market.GetTicker(request, timeout=TIMEOUT_S)).ticker


async def mirrored(follower: Follower, mirror: BookMirror, wanted: market_pb2.OrderBook) -> Tape:
    """Keep the copy until it shows the wanted book."""

    def catch_up(tape: Tape) -> bool:
        mirror.follow(tape.market_data)
        return mirror.bids == levels_of(wanted.bids) and mirror.asks == levels_of(wanted.asks)

    return await follower.until(catch_up)


def test_the_checksum_of_the_contract_is_the_one_of_its_test_vector() -> None:
    assert checksum([("100.5", "2"), ("100", "1.5")], [("101", "3")]) == 492654767


async def test_the_venue_computes_the_published_checksum(alice: Trader) -> None:
    await alice.place(limit("b-1", BUY, "2", "100.5"))
    await alice.place(limit("b-2", BUY, "1.5", "100"))
    await alice.place(limit("a-1", SELL, "3", "101"))
    assert (await book_of(alice.stubs)).checksum == 492654767


async def test_a_book_has_the_best_levels_of_both_sides(floor: Floor, alice: Trader) -> None:
    for number in range(1, 15):
        await alice.place(limit(f"b-{number}", BUY, "1", str(100 - number)))
        await alice.place(limit(f"c-{number}", BUY, "0.5", str(100 - number)))
        await alice.place(limit(f"a-{number}", SELL, "2", str(100 + number)))

    for depth, expected in ((0, 10), (1, 1), (3, 3), (14, 14), (1000, 14)):
        book = await book_of(floor.stubs, depth=depth)
        assert levels_of(book.bids) == [(str(100 - n), "1.5") for n in range(1, expected + 1)]
        assert levels_of(book.asks) == [(str(100 + n), "2") for n in range(1, expected + 1)]
        assert book.checksum == checksum(levels_of(book.bids), levels_of(book.asks))
        assert (book.snapshot, book.previous_sequence) == (True, 0)
        assert book.epoch == floor.venue.app.journal.epoch


@pytest.mark.parametrize("depth", [0, 1, 3, 25])
async def test_a_copy_of_the_book_can_be_kept_from_the_stream(
    alice: Trader, bob: Trader, depth: int
) -> None:
    await alice.place(limit("a-0", SELL, "1", "110"))
    mirror = BookMirror(SYMBOL)
    async with alice.watch([SYMBOL], depth=depth) as follower:
        await mirrored(follower, mirror, await book_of(alice.stubs, depth=depth))
        for number in range(1, 30):
            await alice.place(limit(f"a-{number}", SELL, "1", str(100 + number % 13)))
            await bob.place(limit(f"b-{number}", BUY, "0.7", str(87 + number % 14)))
            if number % 4 == 0:
                await alice.amend(amend(f"m-{number}", f"a-{number}", quantity="0.5"))
            if number % 5 == 0:
                await alice.cancel(cancel(f"a-{number}"))
            if number % 10 == 0:
                await mirrored(follower, mirror, await book_of(alice.stubs, depth=depth))
        await alice.cancel_all()
        await bob.cancel_all()
        tape = await mirrored(follower, mirror, await book_of(alice.stubs, depth=depth))
    assert (mirror.bids, mirror.asks) == ([], [])
    assert mirror.snapshots == 1, "a client that reads needs one snapshot"
    trades = [trade for batch in tape.market_data for trade in batch.trades]
    assert [trade.trade_id for trade in trades] == list(range(1, len(trades) + 1))
    assert trades == await trades_of(alice.stubs, after_trade_id=0, page_size=1000)


async def test_the_stream_begins_with_a_snapshot_of_each_instrument(alice: Trader) -> None:
    await alice.place(limit("a-1", BUY, "1", "100"))
    await alice.place(limit("e-1", BUY, "1", "50", symbol="ETH-USD"))
    async with alice.watch(["BTC-USD", "ETH-USD"]) as follower:
        tape = await follower.live()
    books = {batch.book.symbol: batch.book for batch in tape.market_data}
    assert all(book.snapshot for book in books.values())
    assert levels_of(books["BTC-USD"].bids) == [("100", "1")]
    assert levels_of(books["ETH-USD"].bids) == [("50", "1")]
    assert tape.kinds[-1] == "caught_up"


async def test_parts_can_be_left_out(alice: Trader, bob: Trader) -> None:
    async with (
        alice.watch([SYMBOL], without_book=True) as trades,
        alice.watch([SYMBOL], without_trades=True) as book,
    ):
        await trades.live()
        await book.live()
        await alice.place(limit("a-1", SELL))
        await bob.place(limit("b-1", BUY))
        await alice.place(limit("a-2", BUY, "3", "90"))
        tape = await trades.until(lambda tape: any(batch.trades for batch in tape.market_data))
        assert not any(batch.HasField("book") for batch in tape.market_data)
        mirror = BookMirror(SYMBOL)
        tape = await mirrored(book, mirror, await book_of(alice.stubs))
        assert not any(batch.trades for batch in tape.market_data)


async def test_a_stream_of_nothing_is_refused(alice: Trader) -> None:
    async with alice.watch([SYMBOL], without_book=True, without_trades=True) as follower:
        refused = await failure(follower.live())
    assert refused.reason == "FIELDS_CONFLICT"
    assert refused.fields == ("without_trades",)


async def test_unknown_instruments_are_not_found(floor: Floor, alice: Trader) -> None:
    market, symbol = floor.stubs.market, "NO-SUCH"
    calls: list[Any] = [
        market.GetInstrument(market_data_service_pb2.GetInstrumentRequest(symbol=symbol)),
        market.GetOrderBook(market_data_service_pb2.GetOrderBookRequest(symbol=symbol)),
        market.ListTrades(market_data_service_pb2.ListTradesRequest(symbol=symbol)),
        market.GetTicker(market_data_service_pb2.GetTickerRequest(symbol=symbol)),
        market.ListCandles(
            market_data_service_pb2.ListCandlesRequest(
                symbol=symbol, interval=market_pb2.CANDLE_INTERVAL_1M
            )
        ),
    ]
    for call in calls:
        missing = await failure(call)
        assert (missing.reason, missing.fields) == ("INSTRUMENT_NOT_FOUND", ("symbol",))
    async with alice.watch([SYMBOL, symbol]) as follower:
        missing = await failure(follower.live())
    assert (missing.reason, missing.fields) == ("INSTRUMENT_NOT_FOUND", ("symbols[1]",))


async def test_instruments_say_their_rules(floor: Floor) -> None:
    listed = await floor.stubs.market.ListInstruments(
        market_data_service_pb2.ListInstrumentsRequest()
    )
    assert [instrument.symbol for instrument in listed.instruments] == ["BTC-USD", "ETH-USD"]
    one = await floor.stubs.market.GetInstrument(
        market_data_service_pb2.GetInstrumentRequest(symbol=SYMBOL)
    )
    assert one.instrument == listed.instruments[0]
    assert one.instrument == market_pb2.Instrument(
        symbol="BTC-USD",
        base_asset="BTC",
        quote_asset="USD",
        tick_size="0.01",
        lot_size="0.0001",
        minimum_quantity="0.0001",
        maximum_quantity="1000",
        minimum_notional="0",
        maximum_notional="10000000",
        price_band_percent="0",
        market_protection_percent="5",
        status=market_pb2.INSTRUMENT_STATUS_TRADING,
    )


async def test_instruments_come_in_pages(floor: Floor) -> None:
    await floor.venue.submit(
        CreateInstrument(
            BTC_USD._replace(
                symbol="ETH-BTC",
                base_asset="ETH",
                quote_asset="BTC",
                quote_precision=8,
                tick_decimals=2,
                lot_decimals=4,
            )
        )
    )
    found, token = [], ""
    while True:
        page = await floor.stubs.market.ListInstruments(
            market_data_service_pb2.ListInstrumentsRequest(page_size=1, page_token=token)
        )
        found.append([instrument.symbol for instrument in page.instruments])
        token = page.next_page_token
        if not token:
            break
    assert found == [["BTC-USD"], ["ETH-BTC"], ["ETH-USD"]]


async def make_trades(alice: Trader, bob: Trader, prices: list[str], *, tag: str = "t") -> None:
    for number, price in enumerate(prices):
        await alice.place(limit(f"{tag}-{number}", SELL, "1", price))
        await bob.place(limit(f"{tag}-{number}", BUY, "1", price, time_in_force=IOC))


async def test_trades_are_the_newest_or_those_after_a_number(alice: Trader, bob: Trader) -> None:
    assert await trades_of(alice.stubs) == []
    await make_trades(alice, bob, ["100", "101", "102", "99"])

    everything = await trades_of(alice.stubs)

    assert [(t.trade_id, t.price, t.quantity) for t in everything] == [
        (1, "100", "1"),
        (2, "101", "1"),
        (3, "102", "1"),
        (4, "99", "1"),
    ]
    assert {t.taker_side for t in everything} == {order_pb2.SIDE_BUY}
    assert await trades_of(alice.stubs, page_size=2) == everything[2:]
    assert await trades_of(alice.stubs, after_trade_id=0, page_size=2) == everything[:2]
    assert await trades_of(alice.stubs, after_trade_id=3) == everything[3:]
    assert await trades_of(alice.stubs, after_trade_id=4) == []
    beyond = await failure(
        alice.stubs.market.ListTrades(
            market_data_service_pb2.ListTradesRequest(symbol=SYMBOL, after_trade_id=5)
        )
    )
    assert (beyond.reason, beyond.fields) == ("SEQUENCE_OUT_OF_RANGE", ("after_trade_id",))


async def test_a_ticker_sums_up_a_day(floor: Floor, alice: Trader, bob: Trader) -> None:
    empty = await ticker_of(alice.stubs)
    assert not empty.HasField("best_bid")
    assert not empty.HasField("last_price")
    assert (empty.volume, empty.trade_count) == ("0", 0)

    await make_trades(alice, bob, ["100", "103", "98"])
    await alice.place(limit("ask", SELL, "2", "105"))
    await bob.place(limit("bid", BUY, "3", "95"))
    ticker = await ticker_of(alice.stubs)
    assert (ticker.best_bid.price, ticker.best_bid.quantity) == ("95", "3")
    assert (ticker.best_ask.price, ticker.best_ask.quantity) == ("105", "2")
    assert (ticker.last_price, ticker.last_quantity) == ("98", "1")
    assert (ticker.open_price, ticker.high_price, ticker.low_price) == ("100", "103", "98")
    assert (ticker.volume, ticker.trade_count) == ("3", 3)

    floor.clock.advance(25 * 3600)
    later = await ticker_of(alice.stubs)
    assert (later.volume, later.trade_count, later.HasField("high_price")) == ("0", 0, False)
    assert later.last_price == "98"


async def test_candles_sum_up_the_trades_of_their_interval(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    clock = floor.clock
    # Three minutes that begin a quarter of an hour, whatever the time of the test is.
    clock.advance((900 * 10**9 - clock() % (900 * 10**9)) / 10**9 + 1)
    # That may have been longer than a session lives.
    for trader in (alice, bob):
        await floor.venue.sign_in(trader.credential)
    begin_ns = clock() - clock() % MINUTE_NS
    for minute, prices in enumerate((["100", "104", "99"], [], ["101"])):
        await make_trades(alice, bob, prices, tag=f"t{minute}")
        clock.advance(60)

    async def candles(
        interval: market_pb2.CandleInterval.ValueType, **fields: object
    ) -> list[tuple[int, str, str, str, str, str, int]]:
        answer = await floor.stubs.market.ListCandles(
            market_data_service_pb2.ListCandlesRequest(symbol=SYMBOL, interval=interval, **fields)  # type: ignore[arg-type]
        )
        return [
            (
                (c.open_time.ToNanoseconds() - begin_ns) // MINUTE_NS,
                c.open_price, c.high_price, c.low_price, c.close_price, c.volume, c.trade_count,
            )
            for c in answer.candles
        ]  # fmt: skip

    def at(minute: int) -> Timestamp:
        time = Timestamp()
        time.FromNanoseconds(begin_ns + minute * MINUTE_NS)
        return time

    first = (0, "100", "104", "99", "99", "3", 3)
    third = (2, "101", "101", "101", "101", "1", 1)
    one, quarter = market_pb2.CANDLE_INTERVAL_1M, market_pb2.CANDLE_INTERVAL_15M
    assert await candles(one) == [first, third]
    assert await candles(quarter) == [(0, "100", "104", "99", "101", "4", 4)]
    assert await candles(one, end_time=at(2)) == [first]
    assert await candles(one, start_time=at(1)) == [third]
    assert await candles(one, start_time=at(0), end_time=at(3)) == [first, third]
    assert await candles(one, start_time=at(0), page_size=1) == [first]
    assert await candles(one, start_time=at(3), end_time=at(0)) == []
    assert await candles(one, start_time=Timestamp(), end_time=Timestamp(seconds=1)) == []


async def test_a_restart_begins_another_epoch(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    epochs: list[int] = []
    for _ in range(2):
        async with running_venue(data_dir, clock_ns=clock) as venue:
            if not epochs:
                await venue.provision(["alice"])
            async with venue.connect() as channel:
                epochs.append((await book_of(Stubs(channel))).epoch)
    assert epochs[1] > epochs[0]


async def test_health_is_served_beside_the_services(venue: RunningVenue) -> None:
    async with venue.connect() as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "tradewire.v1.OrderService"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
