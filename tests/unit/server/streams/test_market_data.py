"""Books as snapshot and updates, trades, and what happens to slow clients."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.feeds import split
from tradewire_server.streams.inbox import (
    CaughtUp,
    Closed,
    SubscriptionEnded,
    TooManySubscriptions,
)
from tradewire_server.streams.market_data import MarketBounds
from tradewire_server.streams.market_subscription import MarketMessage

from tests.unit.server.streams.exchange import Book, Client, Exchange, book_checksum
from tests.unit.server.streams.stage import entries, turn

BTC, ETH = "BTC-USD", "ETH-USD"


def follow(
    exchange: Exchange, *symbols: str, depth: int = 10, book: bool = True, trades: bool = True
) -> Client:
    market = exchange.market
    subscription = market.subscribe(symbols or (BTC,), depth=depth, book=book, trades=trades)
    return Client(exchange, subscription, depth)


def books(exchange: Exchange, items: list[Any]) -> list[Book]:
    return [exchange.decode(item.book) for item in items if getattr(item, "book", None)]


def busy_exchange(bounds: MarketBounds | None = None) -> Exchange:
    """Make an exchange with a book."""
    exchange = Exchange(bounds)
    for price in range(1, 5):
        exchange.set(BTC, bid=(100 - price, price), ask=(100 + price, price))
    return exchange


# Snapshot, then updates.


async def test_first_come_the_snapshots_then_caught_up() -> None:
    exchange = busy_exchange()
    client = follow(exchange, BTC, ETH, depth=2)
    items = await client.take()
    bids, asks = [(99, 1), (98, 2)], [(101, 1), (102, 2)]
    btc_checksum, eth_checksum = book_checksum(BTC, bids, asks), book_checksum(ETH, [], [])
    assert books(exchange, items) == [
        Book(BTC, 7, 100, 0, True, bids, asks, btc_checksum),
        Book(ETH, 7, 100, 0, True, [], [], eth_checksum),
    ]
    assert [item.trades for item in items[:2]] == [b"", b""]
    assert items[2:] == [CaughtUp(100)]


async def test_an_update_names_what_changed_and_what_it_continues() -> None:
    exchange = busy_exchange()
    client = follow(exchange, depth=2)
    await client.take()
    exchange.set(BTC, ask=(101, 0))
    exchange.change(BTC, bid=(99, 9))
    checksum = book_checksum(BTC, [(99, 9), (98, 2)], [(102, 2), (103, 3)])
    assert books(exchange, await client.take()) == [
        Book(BTC, 7, 101, 100, False, [(99, 9)], [(101, 0), (103, 3)], checksum)
    ]


async def test_changes_below_the_depth_are_no_message() -> None:
    exchange = busy_exchange()
    client = follow(exchange, depth=2)
    await client.take()
    exchange.change(BTC, bid=(96, 9))
    assert await client.take() == []
    exchange.clock.advance_ms(10)
    exchange.change(BTC, bid=(98, 9))
    [update] = books(exchange, await client.take())
    assert (update.sequence, update.previous_sequence) == (102, 100)


async def test_one_update_per_interval_says_it_all() -> None:
    exchange = busy_exchange()
    client = follow(exchange)
    await client.take()
    exchange.change(BTC, bid=(99, 5))
    assert len(await client.take()) == 1
    exchange.clock.advance_ms(1)
    exchange.change(BTC, bid=(99, 6))
    exchange.clock.advance_ms(8)
    exchange.change(BTC, bid=(98, 6))
    assert await client.take() == []
    exchange.clock.advance_ms(1)
    [update] = books(exchange, await client.take())
    assert (update.sequence, update.previous_sequence) == (103, 101)
    assert update.bids == [(99, 6), (98, 6)]
    assert exchange.clock.pending() == []


async def test_what_changed_back_is_no_message() -> None:
    exchange = busy_exchange()
    client = follow(exchange)
    await client.take()
    exchange.change(BTC, bid=(99, 5))
    await client.take()
    exchange.change(BTC, bid=(99, 6))
    exchange.change(BTC, bid=(99, 5))
    exchange.clock.advance_ms(10)
    assert await client.take() == []


async def test_an_update_is_encoded_once_for_all() -> None:
    exchange = busy_exchange()
    clients = [follow(exchange) for _ in range(50)]
    for client in clients:
        await client.take()
    exchange.change(BTC, bid=(99, 5))
    received = [await client.take() for client in clients]
    assert len(exchange.encoded) == 2
    assert all(items[0] is received[0][0] for items in received)


async def test_a_later_subscriber_continues_with_the_same_updates() -> None:
    exchange = busy_exchange()
    early = follow(exchange)
    await early.take()
    exchange.change(BTC, bid=(99, 5))
    exchange.change(BTC, bid=(99, 6))  # within the interval: not sent yet
    late = follow(exchange)
    await late.take()
    assert late.copies[BTC].levels()[0][0] == (99, 5)
    exchange.clock.advance_ms(10)
    for client in (early, late):
        await client.take()
        assert client.copies[BTC].levels() == exchange.levels(BTC, 10)


async def test_views_of_several_depths_are_read_once() -> None:
    exchange = busy_exchange()
    clients = [follow(exchange, depth=depth) for depth in (1, 3, 2)]
    for client in clients:
        await client.take()
    exchange.reads.clear()
    exchange.change(BTC, bid=(99, 7))
    assert exchange.reads == [(BTC, 3)]
    for client, depth in zip(clients, (1, 3, 2), strict=True):
        await client.take()
        assert client.copies[BTC].levels() == exchange.levels(BTC, depth)


async def test_views_disappear_with_their_last_subscriber() -> None:
    exchange = busy_exchange()
    market = exchange.market
    deep = market.subscribe([BTC], depth=100)
    with market.subscribe([BTC, ETH], depth=10):
        follow(exchange, BTC, depth=10)
        assert (market.view_count, market.subscription_count) == (3, 3)
    assert (market.view_count, market.subscription_count) == (2, 2)
    exchange.reads.clear()
    deep.release()
    exchange.commit(BTC, ETH)
    assert exchange.reads == [(BTC, 10), (BTC, 10)]  # it starts, and is compared
    assert exchange.encoded == []


async def test_an_instrument_that_nobody_follows_any_more_is_not_flushed() -> None:
    exchange = busy_exchange()
    client = follow(exchange)
    await client.take()
    exchange.change(BTC, bid=(99, 5))
    exchange.change(BTC, bid=(99, 6))
    client.subscription.release()
    exchange.reads.clear()
    exchange.clock.advance_ms(10)
    assert (exchange.reads, exchange.market.view_count) == ([], 0)


# Only durable states.


async def test_nothing_is_read_while_a_commit_is_in_flight() -> None:
    exchange = busy_exchange()
    client = follow(exchange)
    await client.take()
    exchange.change(BTC, bid=(99, 5))
    exchange.change(BTC, bid=(99, 6))
    await client.take()
    exchange.set(BTC, bid=(99, 7))
    exchange.settled = False
    exchange.clock.advance_ms(100)
    assert await client.take() == []
    exchange.commit(BTC)
    [update] = books(exchange, await client.take())
    assert (update.sequence, update.bids) == (103, [(99, 7)])


async def test_a_new_view_waits_for_the_commit_in_flight() -> None:
    exchange = busy_exchange()
    exchange.settled = False
    client = follow(exchange, BTC, ETH)
    assert await client.take() == []
    exchange.commit()
    items = await client.take()
    assert [book.sequence for book in books(exchange, items)] == [101, 101]
    assert client.caught_up() == [101]


async def test_new_views_start_in_portions_under_constant_load() -> None:
    exchange = busy_exchange(MarketBounds(views_per_turn=2))
    exchange.settled = False
    client = follow(exchange, *(f"A{number}-USD" for number in range(5)))
    for expected in (2, 4, 5):
        exchange.commit()
        exchange.settled = False
        await client.take()
        assert len(client.snapshots) == expected
    assert client.caught_up() == [103]


async def test_views_that_were_not_started_are_when_the_engine_rests() -> None:
    exchange = busy_exchange(MarketBounds(views_per_turn=2))
    exchange.settled = False
    first = asyncio.create_task(follow(exchange, BTC, ETH).subscription.take())
    second = asyncio.create_task(follow(exchange, "A-USD").subscription.take())
    await turn()
    exchange.commit()
    assert len(await first) == 3
    assert len(await second) == 2


# Trades.


async def test_trades_come_with_the_update() -> None:
    exchange = busy_exchange()
    client = follow(exchange)
    await client.take()
    exchange.change(BTC, bid=(99, 5), trades=2)
    [message] = await client.take()
    assert message.book is not None
    assert [int(data) for data in split(message.trades)] == [1, 2]
    exchange.change(BTC, trades=1)
    exchange.change(BTC, trades=1)
    exchange.clock.advance_ms(10)
    [message] = await client.take()
    assert message == MarketMessage(BTC, None, exchange_trades(3, 4), 3, 4)


def exchange_trades(first: int, last: int) -> bytes:
    exchange = Exchange()
    exchange.trade_ids[BTC] = first - 1
    return exchange.trades(BTC, last - first + 1)[0].data


async def test_book_or_trades_can_be_left_out() -> None:
    exchange = busy_exchange()
    book_only = follow(exchange, trades=False)
    trades_only = follow(exchange, book=False)
    await book_only.take()
    assert await trades_only.take() == [CaughtUp(100)]
    exchange.change(BTC, trades=3)
    exchange.clock.advance_ms(10)
    exchange.change(BTC, bid=(99, 5))
    assert [item.trades for item in await book_only.take()] == [b""]
    assert await trades_only.take() == [MarketMessage(BTC, None, exchange_trades(1, 3), 1, 3)]


async def test_a_message_holds_the_newest_trades() -> None:
    exchange = busy_exchange(MarketBounds(trades_max=5))
    client = follow(exchange)
    await client.take()
    exchange.change(BTC, trades=3)
    exchange.change(BTC, trades=4)
    exchange.change(BTC, trades=4)
    await client.take()
    exchange.clock.advance_ms(10)
    await client.take()
    assert client.trade_ids[BTC] == [1, 2, 3, 7, 8, 9, 10, 11]


async def test_other_feeds_are_passed_over() -> None:
    exchange = busy_exchange()
    client = follow(exchange)
    await client.take()
    exchange.commit(chunks=[entries(1, 1, key=BTC)])
    assert await client.take() == []


# Slow clients.


async def test_a_slow_client_gets_a_snapshot_in_place_of_what_it_missed() -> None:
    exchange = busy_exchange(MarketBounds(messages_max=4))
    slow, fast = follow(exchange), follow(exchange)
    for client in (slow, fast):
        await client.take()
    for lots in range(10, 15):
        exchange.change(BTC, bid=(99, lots), trades=1)
        exchange.clock.advance_ms(10)
        await fast.take()
    assert slow.subscription.waiting_messages == 0
    exchange.change(BTC, bid=(98, 20), trades=1)
    exchange.clock.advance_ms(10)
    [message] = await slow.take()
    assert exchange.decode(message.book).snapshot
    assert (exchange.market.lag_count, slow.snapshots, fast.snapshots) == (1, [BTC, BTC], [BTC])
    assert slow.trade_ids[BTC] == [1, 2, 3, 4, 5, 6]
    exchange.change(BTC, bid=(97, 20))
    for client in (slow, fast):
        await client.take()
        assert client.copies[BTC].levels() == exchange.levels(BTC, 10)
    assert slow.caught_up() == [100]


async def test_a_slow_client_sees_by_the_numbers_which_trades_it_missed() -> None:
    exchange = busy_exchange(MarketBounds(messages_max=4, trades_max=3))
    slow = follow(exchange, book=False)
    await slow.take()
    for _ in range(5):
        exchange.change(BTC, trades=2)
        exchange.clock.advance_ms(10)
    assert exchange.market.lag_count == 1
    await slow.take()
    exchange.change(BTC, trades=1)
    await slow.take()
    assert slow.trade_ids[BTC] == [8, 9, 10, 11]


async def test_only_what_lost_a_message_needs_a_snapshot() -> None:
    exchange = busy_exchange(MarketBounds(messages_max=4))
    client = follow(exchange, BTC, ETH)
    await client.take()
    for lots in range(1, 6):
        exchange.change(BTC, bid=(99, 10 + lots))
        exchange.clock.advance_ms(10)
    exchange.change(ETH, bid=(50, 1))
    await client.take()
    assert client.snapshots == [BTC, ETH, BTC]
    assert client.copies[ETH].levels() == ([(50, 1)], [])


async def test_a_burst_over_all_instruments_is_not_slow() -> None:
    symbols = [f"A{number}-USD" for number in range(100)]
    exchange = Exchange(MarketBounds(views_per_turn=1000))
    client = follow(exchange, *symbols)
    await client.take()
    for symbol in symbols:
        exchange.set(symbol, bid=(1, 1))
    exchange.commit(*symbols)
    assert len(await client.take()) == 100
    assert exchange.market.lag_count == 0


async def test_a_stalled_client_never_delays_others() -> None:
    exchange = busy_exchange(MarketBounds(messages_max=4))
    clients = [follow(exchange) for _ in range(200)]
    stalled = follow(exchange)
    for client in clients:
        await client.take()
    for lots in range(10, 30):
        exchange.change(BTC, bid=(99, lots))
        for client in clients:
            [_] = await client.take()
        exchange.clock.advance_ms(10)
    assert stalled.subscription.waiting_messages <= 4
    assert exchange.market.lag_count == 0  # its first snapshot was never taken: nothing waits


# Work per turn.


async def test_a_turn_flushes_a_bounded_number_of_views() -> None:
    symbols = [f"A{number}-USD" for number in range(5)]
    exchange = Exchange(MarketBounds(views_per_turn=2))
    client = follow(exchange, *symbols)
    await client.take()
    for symbol in symbols:
        exchange.set(symbol, bid=(1, 1))
    exchange.commit(*symbols)
    assert client.subscription.waiting_messages == 2
    [timer] = exchange.clock.pending()
    assert timer.due_s <= exchange.clock.now_ns / 1e9
    exchange.clock.advance_ms(0)
    assert client.subscription.waiting_messages == 5
    assert exchange.clock.pending() == []


async def test_there_is_one_timer() -> None:
    symbols = [f"A{number}-USD" for number in range(5)]
    exchange = Exchange(MarketBounds(views_per_turn=2))
    client = follow(exchange, *symbols)
    await client.take()
    exchange.change(symbols[0], bid=(1, 1))
    exchange.change(symbols[0], bid=(1, 2))
    assert [timer.due_s for timer in exchange.clock.pending()] == [1.01]
    for symbol in symbols:
        exchange.set(symbol, bid=(1, 3))
    exchange.commit(*symbols)
    assert [timer.due_s for timer in exchange.clock.pending()] == [1.0]


async def test_trades_of_a_view_that_has_not_started_come_with_its_snapshot() -> None:
    exchange = busy_exchange(MarketBounds(views_per_turn=1))
    exchange.settled = False
    client = follow(exchange, ETH, BTC)
    exchange.commit(BTC, ETH, chunks=exchange.trades(BTC, 2))
    await client.take()
    assert client.trade_ids[BTC] == [1, 2]
    assert [book.snapshot for book in exchange.encoded] == [True, True]


async def test_a_take_makes_a_bounded_number_of_snapshots() -> None:
    symbols = [f"A{number}-USD" for number in range(5)]
    exchange = Exchange(MarketBounds(snapshot_levels_max=1000))
    client = follow(exchange, *symbols, depth=500)
    assert [len(await client.take()) for _ in range(3)] == [2, 2, 2]
    exchange.change(symbols[0], bid=(1, 1))
    with pytest.raises(StopIteration):  # it makes way for others only between portions
        client.subscription.take().send(None)
    assert client.items[-1] == CaughtUp(100)


def test_sequences_ascend() -> None:
    exchange = busy_exchange()
    with pytest.raises(AssertionError, match="sequence 99 after 100"):
        exchange.market.changed([], 99)


# The end, and bounds.


async def test_close_comes_after_what_waits_or_at_once() -> None:
    exchange = busy_exchange()
    market = exchange.market
    clients = [follow(exchange) for _ in range(3)]
    for client in clients:
        await client.take()
    exchange.change(BTC, bid=(99, 5))
    clients[0].subscription.close("draining")
    clients[1].subscription.close("draining")
    clients[1].subscription.close("ignored")
    clients[1].subscription.close("revoked", at_once=True)
    exchange.clock.advance_ms(10)
    exchange.change(BTC, bid=(99, 6))
    assert [type(item) for item in await clients[0].take()] == [MarketMessage, Closed]
    assert await clients[1].take() == [Closed("revoked", 0)]
    with pytest.raises(SubscriptionEnded):
        await clients[1].subscription.take()
    market.close_where(lambda subscription: subscription.owner == "nobody", "draining")
    assert len(await clients[2].take()) == 2
    market.close_all("draining")
    assert await clients[2].take() == [Closed("draining", 0)]
    assert (market.subscription_count, market.view_count) == (0, 0)


async def test_quiet_returns_nothing_in_time() -> None:
    exchange = busy_exchange()
    client = follow(exchange)
    await client.take()
    taking = asyncio.create_task(client.subscription.take(10.0))
    await turn()
    exchange.clock.advance_ms(10_000)
    assert await taking == []


def test_subscriptions_are_bounded() -> None:
    exchange = busy_exchange(MarketBounds(subscriptions_max=1))
    first = exchange.market.subscribe([BTC], depth=10)
    with pytest.raises(TooManySubscriptions, match="at most 1"):
        exchange.market.subscribe([BTC], depth=10)
    first.release()
    exchange.market.subscribe([BTC], depth=10)


def test_unusual_depths_are_bounded_and_usual_ones_always_served() -> None:
    exchange = busy_exchange(MarketBounds(other_depths_max=2))
    market = exchange.market
    market.subscribe([BTC], depth=3)
    market.subscribe([BTC], depth=4)
    with pytest.raises(TooManySubscriptions, match="depths of BTC-USD"):
        market.subscribe([ETH, BTC], depth=6)
    assert market.view_count == 2
    for depth in (3, 10, 1000):
        market.subscribe([BTC], depth=depth)
    market.subscribe([BTC], depth=6, book=False)
    market.subscribe([ETH], depth=6)


# Whatever happens.

LEVEL = st.tuples(st.integers(90, 110), st.integers(0, 3))
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("bid"), st.sampled_from((BTC, ETH)), LEVEL),
        st.tuples(st.just("ask"), st.sampled_from((BTC, ETH)), LEVEL),
        st.tuples(st.just("commit"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 15), st.just(0)),
        st.tuples(st.just("take"), st.integers(0, 10), st.just(0)),
        st.tuples(st.just("follow"), st.sampled_from((1, 3, 10)), st.integers(0, 5)),
        st.tuples(st.just("leave"), st.integers(0, 10), st.just(0)),
    ),
    max_size=80,
)


@given(ACTIONS)
def test_every_client_has_the_very_book_whatever_happens(actions: list[Any]) -> None:
    asyncio.run(whatever_happens(actions))


async def whatever_happens(actions: list[Any]) -> None:
    exchange = Exchange(MarketBounds(messages_max=2, trades_max=4, views_per_turn=2))
    clients: list[Client] = []
    for name, first, second in actions:
        if name == "bid":
            change_some(exchange, first, bid=second)
        elif name == "ask":
            change_some(exchange, first, ask=second)
        elif name == "commit":
            exchange.commit(BTC, ETH, chunks=exchange.trades(BTC, first))
        elif name == "wait":
            exchange.clock.advance_ms(first)
        elif name == "follow":
            symbols = ((BTC,), (ETH,), (BTC, ETH))[second % 3]
            clients.append(follow(exchange, *symbols, depth=first, trades=second > 2))
        elif name == "take" and clients:
            await clients[first % len(clients)].take()
        elif name == "leave" and clients:
            clients.pop(first % len(clients)).subscription.release()
    exchange.commit(BTC, ETH)
    exchange.clock.advance_ms(20)
    for client in clients:
        await client.take_until_quiet()
        for symbol, copy in client.copies.items():
            assert copy.levels() == exchange.levels(symbol, copy.depth)
        assert len(client.caught_up()) == 1
        check_trades(exchange, client)


def change_some(exchange: Exchange, symbol: str, **sides: Any) -> None:
    """Change a level in the engine; until the commit it could still be lost."""
    for side, (price, lots) in sides.items():
        book = exchange.bids if side == "bid" else exchange.asks
        if lots or price in book.get(symbol, {}):
            exchange.set(symbol, **{side: (price, lots)})
            exchange.settled = False


def check_trades(exchange: Exchange, client: Client) -> None:
    """Check that the newest trade is known; that they ascend, the client has checked."""
    known = client.trade_ids.get(BTC, [])
    if known:
        assert known[-1] == exchange.trade_ids[BTC]
