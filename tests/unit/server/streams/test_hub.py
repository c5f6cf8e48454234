"""Following a feed: from where, without gap or duplicate, bounded."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.feeds import FeedChunk, FeedKind
from tradewire_server.streams.hub import Hub, HubBounds
from tradewire_server.streams.inbox import (
    CaughtUp,
    Closed,
    OutOfRange,
    SubscriptionEnded,
    TooManySubscriptions,
)
from tradewire_server.streams.subscription import Overflow, Pushed, QueueBounds, Subscription

from tests.unit.server.streams.stage import (
    ENTRY_BYTES,
    EXECUTIONS,
    Stage,
    entries,
    numbers,
    others,
    turn,
)

SMALL = HubBounds(
    queue=QueueBounds(bytes_max=10 * ENTRY_BYTES, items_max=8, read_bytes_max=4 * ENTRY_BYTES)
)


async def take_all(stage: Stage, subscription: Subscription) -> list[Any]:
    """Take until nothing comes any more."""
    items: list[Any] = []
    while not subscription.finished:
        taking = asyncio.create_task(subscription.take(1.0))
        await turn()
        while stage.executor.execute():
            stage.executor.deliver()
            await turn()
        if not taking.done():
            stage.clock.advance_ms(1000)
        taken = await taking
        if not taken:
            break
        items += taken
    return items


# Where to begin.


async def test_absent_means_from_now() -> None:
    stage = Stage()
    stage.commit(3)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    stage.commit(2)
    assert await take_all(stage, subscription) == [CaughtUp(3), entries(4, 5)]
    assert stage.journal.reads == 0


async def test_zero_means_from_the_beginning() -> None:
    stage = Stage()
    stage.commit(3)
    stage.commit(2)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    items = await take_all(stage, subscription)
    assert items == [entries(1, 3), entries(4, 5), CaughtUp(5)]


async def test_zero_of_an_empty_feed_is_live_at_once() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    stage.commit(1)
    assert await subscription.take() == [CaughtUp(0), entries(1, 1)]


async def test_a_number_within_a_chunk_cuts_it() -> None:
    stage = Stage()
    stage.commit(5)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 3)
    assert await take_all(stage, subscription) == [entries(4, 5), CaughtUp(5)]


async def test_the_head_is_live_at_once() -> None:
    stage = Stage()
    stage.commit(5)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 5)
    assert await subscription.take() == [CaughtUp(5)]
    assert stage.journal.reads == 0


@pytest.mark.parametrize("after", [-1, 6])
def test_a_number_that_does_not_exist_is_out_of_range(after: int) -> None:
    stage = Stage()
    stage.commit(5)
    with pytest.raises(OutOfRange) as caught:
        stage.hub.subscribe(EXECUTIONS, "alice", after)
    assert (caught.value.first, caught.value.last) == (1, 5)
    assert stage.hub.subscription_count == 0


async def test_older_than_retention_is_out_of_range_with_the_first_available_number() -> None:
    stage = Stage()
    stage.commit(5)
    stage.journal.keep_from(4)
    with pytest.raises(OutOfRange) as caught:
        stage.hub.subscribe(EXECUTIONS, "alice", 2)
    assert (caught.value.first, caught.value.last) == (4, 5)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 3)
    assert await take_all(stage, subscription) == [entries(4, 5), CaughtUp(5)]


async def test_feeds_are_told_apart_by_kind_and_key() -> None:
    stage = Stage()
    subscription = stage.hub.subscribe(FeedKind.LEDGER, "alice")
    stage.commit(1)
    stage.commit(1, "bob")
    stage.hub.publish([entries(1, 1)._replace(kind=FeedKind.LEDGER)])
    assert numbers(await subscription.take()) == [1]


# Replay meets publication.


class Journey:
    """A replay in small steps, between any two of which something can be published."""

    def __init__(self) -> None:
        self.stage = Stage(SMALL)
        self.items: list[Any] = []
        self.taking: asyncio.Task[list[Any]] | None = None
        self.subscription: Subscription | None = None

    def subscribe(self) -> None:
        self.subscription = self.stage.hub.subscribe(EXECUTIONS, "alice", 0)

    async def take(self) -> None:
        if self.taking is None and self.subscription is not None:
            self.taking = asyncio.create_task(self.subscription.take(1.0))
        await turn()
        if self.taking is not None and self.taking.done():
            self.items += self.taking.result()
            self.taking = None

    async def finish(self) -> None:
        assert self.subscription is not None
        for _ in range(60):
            await self.take()
            while self.stage.executor.execute():
                pass
            while self.stage.executor.deliver():
                pass
        if self.taking is not None:
            self.stage.clock.advance_ms(1000)
            await self.take()


STEPS = ("subscribe", "take", "execute", "deliver", "collect", "take", "execute", "deliver")


@pytest.mark.parametrize("publications", [1, 2, 3])
async def test_publication_at_every_point_of_a_replay(publications: int) -> None:
    points = range(len(STEPS) + 1)
    for chosen in itertools.combinations_with_replacement(points, publications):
        for early in (False, True):
            await one_journey(chosen, early=early)


async def one_journey(chosen: tuple[int, ...], *, early: bool) -> None:
    """Publish at the chosen points; `early` commits one step before it publishes."""
    journey = Journey()
    stage = journey.stage
    stage.commit(3)
    stage.commit(2)
    committed: list[FeedChunk] = []
    for point in range(len(STEPS) + 1):
        stage.hub.publish(committed)
        committed = [stage.journal.commit(2) for at in chosen if at == point]
        if not early:
            stage.hub.publish(committed)
            committed = []
        if point < len(STEPS):
            await step(journey, STEPS[point])
    stage.hub.publish(committed)
    await journey.finish()
    last = 5 + 2 * len(chosen)
    assert numbers(journey.items) == list(range(1, last + 1)), (chosen, early)
    assert len(others(journey.items)) == 1, (chosen, early)
    check_caught_up(journey.items)


async def step(journey: Journey, name: str) -> None:
    if name == "subscribe":
        journey.subscribe()
    elif name == "execute":
        journey.stage.executor.execute()
    elif name == "deliver":
        journey.stage.executor.deliver()
    else:
        await journey.take()


def check_caught_up(items: list[Any]) -> None:
    """Check that the mark says the number of the entry before it."""
    position = 0
    for item in items:
        if isinstance(item, FeedChunk):
            position = item.last
        elif isinstance(item, CaughtUp):
            assert item.as_of == position


async def test_what_is_published_after_it_was_read_is_not_repeated() -> None:
    stage = Stage()
    stage.commit(2)
    first = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    late = stage.journal.commit(3)
    assert numbers(await take_all(stage, first)) == [1, 2, 3, 4, 5]
    # The client comes back with what it has, before the publication.
    second = stage.hub.subscribe(EXECUTIONS, "alice", 5)
    third = stage.hub.subscribe(EXECUTIONS, "alice", 4)
    assert stage.hub.head(EXECUTIONS, "alice") == 2
    stage.hub.publish([late])
    stage.commit(1)
    assert numbers(await take_all(stage, first)) == [6]
    assert await second.take() == [CaughtUp(5), entries(6, 6)]
    assert await third.take() == [CaughtUp(4), entries(5, 5), entries(6, 6)]


async def test_a_feed_first_asked_for_between_commit_and_publication_is_not_repeated() -> None:
    stage = Stage()
    late = stage.journal.commit(3)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice")
    stage.hub.publish([late])
    stage.commit(1)
    assert await subscription.take() == [CaughtUp(3), entries(4, 4)]


def test_a_gap_in_publication_stops_everything() -> None:
    stage = Stage()
    stage.hub.subscribe(EXECUTIONS, "alice")
    with pytest.raises(AssertionError, match="2 was published after 0"):
        stage.hub.publish([entries(2, 2)])


async def test_a_long_replay_is_not_a_slow_consumer() -> None:
    stage = Stage(SMALL)
    for _ in range(20):
        stage.commit(1)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    items: list[Any] = []
    waited = 0
    for _ in range(30):
        # As much as one read is published between any two of them: four times the bound in all.
        stage.commit(2)
        items += await stage.drain(asyncio.create_task(subscription.take()))
        waited = max(waited, subscription.waiting_bytes)
    items += await take_all(stage, subscription)
    assert waited <= SMALL.queue.bytes_max
    assert numbers(items) == list(range(1, 81))
    assert [type(item) for item in others(items)] == [CaughtUp]
    check_caught_up(items)


async def test_a_replay_ends_although_something_is_published_during_each_read() -> None:
    stage = Stage()
    stage.commit(3)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    taking = asyncio.create_task(subscription.take())
    await turn()
    stage.executor.execute()
    stage.commit(2)
    stage.executor.deliver()
    assert await taking == [entries(1, 3), entries(4, 5), CaughtUp(5)]


async def test_a_read_may_end_within_a_commit() -> None:
    stage = Stage(SMALL)
    stage.journal.exact = True
    stage.commit(3)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    taking = asyncio.create_task(subscription.take())
    await turn()
    stage.commit(2)
    stage.executor.execute()
    stage.executor.deliver()
    assert await taking == [entries(1, 3), entries(4, 4), entries(5, 5), CaughtUp(5)]


async def test_a_replay_reads_no_further_than_is_taken() -> None:
    stage = Stage(SMALL)
    for _ in range(20):
        stage.commit(1)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    assert numbers(await stage.drain(asyncio.create_task(subscription.take()))) == [1, 2, 3, 4]
    await turn()
    assert stage.journal.reads == 1
    assert not stage.executor.submitted


async def test_a_replay_that_retention_overtakes_is_told() -> None:
    stage = Stage(SMALL)
    for _ in range(20):
        stage.commit(1)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    await stage.drain(asyncio.create_task(subscription.take()))
    stage.journal.keep_from(10)
    [closed] = await take_all(stage, subscription)
    assert isinstance(closed, Closed)
    assert closed.resume_after == 4
    assert isinstance(closed.reason, OutOfRange)
    assert (closed.reason.first, closed.reason.last) == (10, 20)
    assert stage.hub.subscription_count == 0


async def test_a_read_that_fails_because_of_retention_is_told() -> None:
    stage = Stage(SMALL)
    stage.commit(8)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)

    def fail(*_: object, **__: object) -> list[FeedChunk]:
        stage.journal.keep_from(5)
        raise OSError("entry 1 is not retained")

    stage.hub.replay = fail
    [closed] = await take_all(stage, subscription)
    assert isinstance(closed.reason, OutOfRange)
    assert (closed.reason.first, closed.resume_after) == (5, 0)


async def test_reads_have_threads_of_their_own() -> None:
    names: list[str] = []

    def read(*_: object, **__: object) -> list[FeedChunk]:
        names.append(threading.current_thread().name)
        return [entries(1, 1)]

    hub = Hub(replay=read, feed_range=lambda *_: (1, 1))
    with hub.subscribe(EXECUTIONS, "alice", 0) as subscription:
        assert await subscription.take() == [entries(1, 1), CaughtUp(1)]
    assert names[0].startswith("replay")


async def test_a_journal_that_has_nothing_left_to_replay_is_told() -> None:
    stage = Stage(SMALL)
    stage.commit(8)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    stage.journal.keep_from(9)
    [closed] = await take_all(stage, subscription)
    assert isinstance(closed.reason, OutOfRange)


async def test_a_failed_read_fails_the_take() -> None:
    stage = Stage()
    stage.commit(1)

    def fail(*_: object, **__: object) -> list[FeedChunk]:
        raise OSError("disk on fire")

    stage.hub.replay = fail
    with (
        stage.hub.subscribe(EXECUTIONS, "alice", 0) as subscription,
        pytest.raises(OSError, match="disk on fire"),
    ):
        await take_all(stage, subscription)
    assert stage.hub.subscription_count == 0


async def test_a_slow_read_is_quiet_and_not_lost() -> None:
    stage = Stage()
    stage.commit(1)
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 0)
    taking = asyncio.create_task(subscription.take(10.0))
    await turn()
    stage.clock.advance_ms(10_000)
    assert await taking == []
    stage.executor.execute()
    stage.executor.deliver()
    await turn()
    assert await subscription.take() == [entries(1, 1), CaughtUp(1)]
    assert stage.journal.reads == 1


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 9)),
        st.tuples(
            st.sampled_from(("publish", "subscribe", "execute", "deliver", "take", "push")),
            st.integers(0, 30),
        ),
    ),
    max_size=60,
)


@given(OPERATIONS, st.booleans())
def test_no_gap_no_duplicate_and_pushed_in_order_whatever_happens(
    operations: list[tuple[str, int]], exact: bool
) -> None:
    asyncio.run(whatever_happens(operations, exact=exact))


async def whatever_happens(operations: list[tuple[str, int]], *, exact: bool) -> None:
    stage = Stage(SMALL)
    stage.journal.exact = exact
    stage.commit(7)
    committed: list[FeedChunk] = []
    followers: list[Follower] = []
    for name, value in operations:
        if name == "commit":
            committed.append(stage.journal.commit(value))
        elif name == "publish":
            stage.hub.publish(committed)
            committed = []
        elif name == "subscribe":
            last = stage.journal.feed_range(EXECUTIONS, "alice")[1]
            after = None if value % 3 == 0 else value % (last + 1)
            followers.append(Follower(stage, after))
        elif name == "execute":
            stage.executor.execute()
        elif name == "deliver":
            stage.executor.deliver()
        elif name == "take" and followers:
            await followers[value % len(followers)].take()
        elif name == "push" and followers:
            followers[value % len(followers)].push()
        await turn()
        for follower in followers:
            assert follower.subscription.waiting_bytes <= SMALL.queue.bytes_max
    stage.hub.publish(committed)
    for follower in followers:
        await follower.finish()
        follower.check(stage.journal.feed_range(EXECUTIONS, "alice")[1])


class Follower:
    """A subscription, and what its consumer must find."""

    def __init__(self, stage: Stage, after: int | None) -> None:
        self.stage = stage
        self.after = stage.hub.head(EXECUTIONS, "alice") if after is None else after
        self.subscription = stage.hub.subscribe(EXECUTIONS, "alice", after)
        self.taking: asyncio.Task[list[Any]] | None = None
        self.items: list[Any] = []
        self.pushed: list[int] = []

    def push(self) -> None:
        head = self.stage.hub.head(EXECUTIONS, "alice")
        if self.subscription.push(head, size=3):
            self.pushed.append(head)

    async def take(self) -> None:
        if self.taking is None:
            if self.subscription.finished:
                return
            self.taking = asyncio.create_task(self.subscription.take(1.0))
            await turn()
        if self.taking.done():
            self.items += self.taking.result()
            self.taking = None

    async def finish(self) -> None:
        for _ in range(200):
            await self.take()
            while self.stage.executor.execute() or self.stage.executor.deliver():
                pass
            await turn()
            if self.taking is not None:
                self.stage.clock.advance_ms(1000)
                await turn()

    def check(self, head: int) -> None:
        found = numbers(self.items)
        assert found == list(range(self.after + 1, self.after + 1 + len(found)))
        last = found[-1] if found else self.after
        check_order(self.items, self.after)
        results = [item.content for item in self.items if isinstance(item, Pushed)]
        if isinstance(self.items[-1], Overflow):
            assert self.items[-1].resume_after == last
            assert results == self.pushed[: len(results)]
        else:
            assert last == head
            assert results == self.pushed
            assert sum(isinstance(item, CaughtUp) for item in self.items) == 1


def check_order(items: list[Any], position: int) -> None:
    """Check that nothing pushed comes before what was published before it."""
    for item in items:
        if isinstance(item, FeedChunk):
            position = item.last
        elif isinstance(item, Pushed):
            assert position >= item.content
        elif isinstance(item, CaughtUp):
            assert item.as_of == position


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


async def test_close_where_chooses() -> None:
    stage = Stage()
    hub = stage.hub
    kept = hub.subscribe(EXECUTIONS, "alice", owner="key-1")
    revoked = hub.subscribe(EXECUTIONS, "bob", owner="key-2")
    hub.close_where(lambda subscription: subscription.owner == "key-2", "revoked", at_once=True)
    assert await revoked.take() == [Closed("revoked", 0)]
    assert await kept.take() == [CaughtUp(0)]
    hub.close_all("draining")
    assert await kept.take() == [Closed("draining", 0)]
    assert hub.subscription_count == 0


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


# Bounds of the hub.


def test_subscriptions_are_bounded_per_key() -> None:
    stage = Stage(HubBounds(subscriptions_per_key_max=2))
    hub = stage.hub
    first = hub.subscribe(EXECUTIONS, "alice")
    hub.subscribe(EXECUTIONS, "alice")
    with pytest.raises(TooManySubscriptions, match="of alice: at most 2"):
        hub.subscribe(EXECUTIONS, "alice")
    hub.subscribe(EXECUTIONS, "bob")
    first.release()
    hub.subscribe(EXECUTIONS, "alice")


def test_subscriptions_are_bounded_in_all_until_released() -> None:
    stage = Stage(HubBounds(subscriptions_max=2))
    hub = stage.hub
    hub.subscribe(EXECUTIONS, "alice")
    closed = hub.subscribe(EXECUTIONS, "bob")
    closed.close("draining")
    with pytest.raises(TooManySubscriptions, match="at most 2"):
        hub.subscribe(EXECUTIONS, "carol")
    closed.release()
    hub.subscribe(EXECUTIONS, "carol")


def test_heads_of_feeds_without_subscribers_are_forgotten_in_time() -> None:
    stage = Stage(HubBounds(idle_feeds_max=3))
    hub = stage.hub
    followed = hub.subscribe(EXECUTIONS, "followed")
    for number in range(10):
        stage.commit(number + 1, f"account-{number}")
        assert hub.head(EXECUTIONS, f"account-{number}") == number + 1
    assert hub.feed_count == 4
    stage.commit(1, "account-9")
    stage.commit(1, "account-0")
    assert hub.head(EXECUTIONS, "account-9") == 11
    assert hub.head(EXECUTIONS, "account-0") == 2
    followed.release()
    assert hub.feed_count == 3
    assert hub.head(EXECUTIONS, "followed") == 0
