"""A slow consumer is told and dropped, never waited for, never silently skipped."""

import asyncio
from collections.abc import Callable

import grpc.aio
import pytest
from tradewire.v1 import order_pb2, order_service_pb2, reason_pb2
from tradewire_server.api import streaming
from tradewire_server.streams.hub import HubBounds
from tradewire_server.streams.market_data import MarketBounds
from tradewire_server.streams.subscription import QueueBounds

from tests.integration.conftest import Floor
from tests.integration.test_market_data import book_of
from tests.support.book_mirror import BookMirror, levels_of
from tests.support.tape import sequences
from tests.support.trading import BUY, SELL, Trader, limit
from tests.support.venue import SYMBOL

# Small, so that little traffic is too much for who does not read.
SMALL = HubBounds(queue=QueueBounds(bytes_max=32 << 10, read_bytes_max=16 << 10))
ORDERS = 2_000


@pytest.fixture(autouse=True)
def small_bounds(floor: Floor) -> None:
    floor.venue.app.hub.bounds = SMALL


async def trade(alice: Trader) -> None:
    """Place many orders, over a stream that is read."""
    async with alice.enter() as entry:
        for number in range(ORDERS // 20):
            await entry.do(*(limit(f"a-{number}-{i}") for i in range(20)))


async def test_it_is_told_where_to_resume_and_others_are_not_delayed(
    floor: Floor, alice: Trader, lazy: Trader
) -> None:
    async with lazy.follow() as slow, alice.follow() as keen:
        await slow.live()
        await keen.live()

        # Everybody else gets everything while the slow one has not read a thing.
        await asyncio.gather(trade(alice), keen.until(lambda tape: len(tape.executions) == ORDERS))
        assert floor.venue.app.hub.overflow_count == 1

        tape = await slow.to_end()
        assert await slow.call.code() is grpc.StatusCode.OK
    assert tape.closed.reason == "SLOW_CONSUMER"
    assert tape.closed.outcome == "stream_closed"
    assert tape.closing is not None
    resume_after = tape.closing.resume_after
    assert resume_after == len(tape.executions) == tape.position
    assert resume_after < ORDERS
    async with alice.follow(after_sequence=resume_after) as again:
        rest = (await again.live()).executions
    assert sequences(tape.executions + rest) == list(range(1, ORDERS + 1))


async def test_order_entry_that_is_not_read_ends_with_its_orders(
    floor: Floor, alice: Trader, lazy: Trader
) -> None:
    """Nobody enters orders blindly: who does not read the results may not go on."""
    async with lazy.enter(cancel_on_disconnect=True) as slow:
        await slow.do(limit("kept", price="90"))
        await trade(alice)
        assert floor.venue.app.hub.overflow_count == 1
        # Canceled already, although the client neither reads nor goes.
        kept = (await alice.get("kept")).order
        assert kept.status == order_pb2.ORDER_STATUS_CANCELED
        assert kept.reason == reason_pb2.REASON_DISCONNECTED
        await slow.send(limit("late"))
        tape = await slow.to_end()
    assert tape.closed.reason == "SLOW_CONSUMER"
    assert {result.client_order_id for result in tape.results} == {"kept"}
    assert not [e for e in await alice.executions() if e.order.client_order_id == "late"]


async def test_market_data_is_conflated_and_never_wrong(
    floor: Floor, alice: Trader, bob: Trader, lazy: Trader
) -> None:
    floor.venue.app.limiter.set_exempt("bob", True)
    floor.venue.app.market_data._bounds = MarketBounds(interval_ns=10**6, messages_max=8)
    mirror = BookMirror("BTC-USD")
    async with lazy.watch(["BTC-USD"], depth=1000) as slow, alice.watch(["BTC-USD"]) as keen:
        await slow.live()
        await keen.live()
        lags = floor.venue.app.market_data.lag_count
        async with alice.enter() as selling, bob.enter() as buying:
            # Until the slow one has more waiting for it than may wait.
            for number in range(400):
                price = f"{100 + number % 50}.{number % 100:02d}"
                await selling.do(*(limit(f"s-{number}-{i}", SELL, "1", price) for i in range(5)))
                await buying.do(limit(f"b-{number}", BUY, "0.5", price))
                await keen.call.read()
                if floor.venue.app.market_data.lag_count > lags:
                    break
        assert floor.venue.app.market_data.lag_count > lags
        wanted = await book_of(alice.stubs, depth=1000)

        def caught_up(tape: object) -> bool:
            mirror.follow(slow.tape.market_data)
            return (mirror.bids, mirror.asks) == (levels_of(wanted.bids), levels_of(wanted.asks))

        tape = await slow.until(caught_up)
    assert mirror.snapshots > 1, "a fresh snapshot stands for what was missed"
    trade_ids = [trade.trade_id for batch in tape.market_data for trade in batch.trades]
    assert trade_ids == sorted(set(trade_ids)), "trades may be missing, and never come twice"


async def flood_the_book(floor: Floor, until: Callable[[], object]) -> None:
    """Change the book until something has come of it."""
    floor.venue.app.limiter.set_exempt("bob", True)
    async with floor.bob.enter() as entry:
        for number in range(2_000):
            if until():
                return
            prices = (f"{100 + i}.{number % 100:02d}" for i in range(50))
            await entry.do(*(limit(f"{number}-{i}", BUY, "1", p) for i, p in enumerate(prices)))
            await entry.do(order_service_pb2.CancelAllOrdersRequest())
    raise AssertionError("nothing came of it")


async def test_market_data_that_is_not_read_at_all_ends_and_says_so(
    floor: Floor, lazy: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    market_data = floor.venue.app.market_data
    market_data._bounds = MarketBounds(interval_ns=10**6)
    monkeypatch.setattr(streaming, "UNREAD_S", 0.05)
    async with lazy.watch([SYMBOL], depth=1000) as deaf:
        await deaf.live()
        (subscription,) = market_data._open
        await flood_the_book(floor, lambda: subscription._ending)
        tape = await deaf.to_end()
        assert await deaf.call.code() is grpc.StatusCode.OK
    assert (tape.closed.reason, tape.closed.outcome) == ("SLOW_CONSUMER", "stream_closed")
    assert market_data.subscription_count == 0


async def test_market_data_that_stays_unread_takes_no_room(
    floor: Floor, lazy: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    market_data = floor.venue.app.market_data
    market_data._bounds = MarketBounds(interval_ns=10**6)
    monkeypatch.setattr(streaming, "UNREAD_S", 0.05)
    monkeypatch.setattr(streaming, "STALLED_S", 0.05)
    async with lazy.watch([SYMBOL], depth=1000) as deaf:
        await deaf.live()
        # The client is still there and has read nothing more.
        await flood_the_book(floor, lambda: market_data.subscription_count == 0)
    assert deaf.tape.closing is None
