"""A subscription: slow consumers, what the owner pushes, and the end."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest
from tradewire_server.feeds import FeedChunk
from tradewire_server.streams.hub import HubBounds
from tradewire_server.streams.inbox import (
    CaughtUp,
    Closed,
    SubscriptionEnded,
)
from tradewire_server.streams.subscription import Overflow, Pushed, QueueBounds

from tests.unit.server.streams.stage import (
    ENTRY_BYTES,
    EXECUTIONS,
    SMALL,
    Stage,
    entries,
    numbers,
    take_all,
    turn,
)

# Slow consumers.


async def test_too_many_bytes_end_a_live_subscription() -> None:
    stage = Stage(SMALL)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    ended: list[str] = []
    subscription.on_end(lambda: ended.append("overflow"))
    stage.commit(2)
    assert numbers(await subscription.take()) == [1, 2]
    stage.commit(6)
    stage.commit(4)
    assert (subscription.waiting_bytes, ended) == (10 * ENTRY_BYTES, [])
    stage.commit(1)
    assert (subscription.waiting_bytes, ended) == (0, ["overflow"])
    stage.commit(1)
    assert await subscription.take() == [Overflow(resume_after=2)]
    assert stage.hub.overflow_count == 1
    with pytest.raises(SubscriptionEnded):
        await subscription.take()


async def test_too_many_items_end_a_live_subscription() -> None:
    bounds = HubBounds(queue=QueueBounds(items_max=3))
    stage = Stage(bounds)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    assert await subscription.take() == [CaughtUp(0)]
    for _ in range(4):
        stage.commit(1)
    assert await subscription.take() == [Overflow(resume_after=0)]


async def test_a_chunk_longer_than_the_bound_does_not_end_who_keeps_up() -> None:
    stage = Stage(SMALL)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    stage.commit(50)
    items = await subscription.take()
    assert numbers(items) == list(range(1, 51))
    assert max(len(item.data) for item in items if isinstance(item, FeedChunk)) <= 40
    stage.commit(1)
    stage.commit(50)
    assert await subscription.take() == [Overflow(resume_after=50)]


async def test_a_long_chunk_is_divided_in_a_replay_too() -> None:
    stage = Stage(SMALL)
    stage.commit(50)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    items = await take_all(stage, subscription)
    assert numbers(items) == list(range(1, 51))
    assert max(len(item.data) for item in items if isinstance(item, FeedChunk)) <= 40


async def test_a_stalled_reader_never_delays_others() -> None:
    stage = Stage(SMALL)
    healthy = [stage.hub.subscribe(EXECUTIONS, "alice") for _ in range(999)]
    stalled = stage.hub.subscribe(EXECUTIONS, "alice")
    received: list[list[Any]] = [[] for _ in healthy]
    for _ in range(20):
        stage.commit(3)
        for subscription, items in zip(healthy, received, strict=True):
            items.extend(await subscription.take())
    assert all(numbers(items) == list(range(1, 61)) for items in received)
    assert await stalled.take() == [Overflow(resume_after=0)]
    assert stage.hub.overflow_count == 1


# What the owner pushes.


async def test_pushed_items_come_after_what_was_published_before() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    stage.commit(2)
    subscription.push("result", size=6)
    stage.commit(1)
    assert await subscription.take() == [
        CaughtUp(0),
        entries(1, 2),
        Pushed("result", 6),
        entries(3, 3),
    ]


async def test_pushed_items_wait_for_the_replay() -> None:
    stage = Stage(SMALL)
    for _ in range(3):
        stage.commit(2)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    subscription.push("one", size=1)
    stage.commit(1)
    subscription.push("two", size=1)
    stage.commit(1)
    assert await take_all(stage, subscription) == [
        entries(1, 2),
        entries(3, 4),
        entries(5, 6),
        Pushed("one", 1),
        entries(7, 7),
        Pushed("two", 1),
        entries(8, 8),
        CaughtUp(8),
    ]


async def test_what_was_pushed_and_taken_counts_no_more() -> None:
    stage = Stage(SMALL)
    stage.commit(4)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    subscription.push("result", size=50)
    for _ in range(3):
        stage.commit(4)
    items = await stage.drain(asyncio.create_task(subscription.take()))
    assert items == [entries(1, 4), Pushed("result", 50)]
    assert subscription.waiting_bytes <= 40


async def test_pushed_items_survive_when_the_tail_is_forgotten() -> None:
    stage = Stage(SMALL)
    stage.commit(4)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    stage.commit(3)
    subscription.push("result", size=30)
    for _ in range(5):
        stage.commit(3)
    items = await take_all(stage, subscription)
    assert numbers(items) == list(range(1, 23))
    assert items[items.index(Pushed("result", 30)) - 1].last == 7


async def test_a_push_may_take_the_place_of_the_tail() -> None:
    stage = Stage(SMALL)
    stage.commit(4)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    stage.commit(9)
    assert subscription.push("result", size=60)
    assert subscription.waiting_bytes == 60
    assert numbers(await take_all(stage, subscription)) == list(range(1, 14))


@pytest.mark.parametrize("after", [None, 0], ids=["live", "replaying"])
@pytest.mark.parametrize(("size", "fit"), [(40, 2), (0, 8)], ids=["bytes", "items"])
async def test_pushed_items_count_in_the_bound(after: int | None, size: int, fit: int) -> None:
    stage = Stage(SMALL)
    stage.commit(4)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", after)
    if after is None:
        await subscription.take()
    accepted = [subscription.push(number, size=size) for number in range(fit + 2)]
    assert accepted == [True] * fit + [False] * 2
    assert await subscription.take() == [Overflow(resume_after=4 if after is None else 0)]


async def test_a_published_chunk_may_not_fit_beside_what_was_pushed_in_a_replay() -> None:
    stage = Stage(SMALL)
    stage.commit(4)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    subscription.push("result", size=90)
    stage.commit(5)
    assert subscription.waiting_bytes == 90
    items = await take_all(stage, subscription)
    assert numbers(items) == list(range(1, 10))
    assert items[1:3] == [Pushed("result", 90), entries(5, 8)]


# The end.


async def test_close_comes_after_what_waits() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    stage.commit(2)
    subscription.close("draining")
    stage.commit(1)
    assert not subscription.push("late", size=1)
    assert await subscription.take() == [CaughtUp(0), entries(1, 2), Closed("draining", 2)]
    assert subscription.finished


async def test_close_at_once_drops_what_waits() -> None:
    stage = Stage()
    stage.commit(1)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    await subscription.take()
    stage.commit(2)
    subscription.close("revoked", at_once=True)
    assert subscription.waiting_bytes == 0
    assert await subscription.take() == [Closed("revoked", 1)]


async def test_a_closing_subscription_can_be_closed_at_once() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    stage.commit(2)
    subscription.close("draining")
    subscription.close("ignored")
    subscription.close("revoked", at_once=True)
    assert await subscription.take() == [Closed("revoked", 0)]


async def test_an_overflow_is_not_hidden_by_a_close() -> None:
    stage = Stage(SMALL)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    for _ in range(3):
        stage.commit(9)
    subscription.close("draining", at_once=True)
    assert await subscription.take() == [Overflow(resume_after=0)]


@pytest.mark.parametrize("at_once", [False, True])
async def test_close_ends_a_replay(at_once: bool) -> None:
    stage = Stage(SMALL)
    for _ in range(20):
        stage.commit(1)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    await stage.drain(asyncio.create_task(subscription.take()))
    taking = asyncio.create_task(subscription.take())
    await turn()
    subscription.close("draining", at_once=at_once)
    assert await taking == [Closed("draining", 4)]
    assert not stage.executor.execute()


async def test_close_wakes_who_waits() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    await subscription.take()
    taking = asyncio.create_task(subscription.take(10.0))
    await turn()
    subscription.close("lifetime")
    assert await taking == [Closed("lifetime", 0)]
    assert stage.clock.pending() == []


def test_the_end_is_called_back_once_and_also_when_it_came_before() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    calls: list[int] = []
    subscription.on_end(lambda: calls.append(1))
    subscription.close("draining")
    subscription.close("revoked", at_once=True)
    subscription.on_end(lambda: calls.append(2))
    assert calls == [1, 2]


async def test_the_end_of_one_may_close_another_during_publication() -> None:
    stage = Stage(SMALL)
    slow = stage.hub.subscribe(EXECUTIONS, "alice")
    other = stage.hub.subscribe(EXECUTIONS, "alice")
    slow.on_end(lambda: other.close("same connection"))
    stage.commit(9)
    stage.commit(9)
    assert await slow.take() == [Overflow(resume_after=0)]
    assert await other.take() == [CaughtUp(0), *nine(), Closed("same connection", 9)]


def nine() -> list[FeedChunk]:
    return [entries(1, 4), entries(5, 8), entries(9, 9)]


async def test_iteration_ends_with_the_last_item() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    stage.commit(1)
    subscription.close("draining")
    assert [item async for item in subscription] == [
        CaughtUp(0),
        entries(1, 1),
        Closed("draining", 1),
    ]


async def test_quiet_returns_nothing_in_time() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    await subscription.take()
    taking = asyncio.create_task(subscription.take(10.0))
    await turn()
    stage.clock.advance_ms(9_999)
    await turn()
    assert not taking.done()
    stage.clock.advance_ms(1)
    assert await taking == []
    assert subscription.resume_after == 0


async def test_leaving_releases_everything() -> None:
    stage = Stage(SMALL)
    stage.commit(30)
    with stage.hub.subscribe(EXECUTIONS, "alice", 0) as subscription:
        taking = asyncio.create_task(subscription.take())
        await turn()
        stage.commit(1)
        subscription.push("result", size=1)
        stage.executor.execute()
    assert (subscription.waiting_bytes, stage.hub.subscription_count) == (0, 0)
    with pytest.raises(SubscriptionEnded):
        await taking
    stage.executor.deliver()
    await turn()
    subscription.release()
    assert stage.hub.subscription_count == 0


async def test_a_read_that_fails_after_its_consumer_left_is_nobodys() -> None:
    stage = Stage()
    stage.commit(1)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    taking = asyncio.create_task(subscription.take(1.0))
    await turn()
    stage.clock.advance_ms(1000)
    assert await taking == []
    stage.executor.execute()
    future, _ = stage.executor.executed.popleft()
    future.set_exception(OSError("too late"))
    await turn()
    lost: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    subscription.release()
    gc.collect()
    assert lost == []


async def test_a_consumer_that_is_canceled_while_it_waits_loses_nothing() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    await subscription.take()
    taking = asyncio.create_task(subscription.take(10.0))
    await turn()
    taking.cancel()
    await turn()
    assert taking.cancelled()
    assert stage.clock.pending() == []
    stage.commit(1)
    assert numbers(await subscription.take()) == [1]
