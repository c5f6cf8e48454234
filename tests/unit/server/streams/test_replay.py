"""Replay meets publication: no gap, no duplicate, an end, whatever happens when."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.feeds import FeedChunk
from tradewire_server.streams.hub import Hub
from tradewire_server.streams.inbox import (
    CaughtUp,
    Closed,
    OutOfRange,
)
from tradewire_server.streams.subscription import Overflow, Pushed, Subscription

from tests.unit.server.streams.stage import (
    EXECUTIONS,
    SMALL,
    Stage,
    entries,
    numbers,
    others,
    take_all,
    turn,
)


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


async def test_a_read_may_begin_before_what_is_wanted() -> None:
    stage = Stage()
    stage.commit(2)
    stage.commit(3)
    stage.hub.replay = lambda *_, **__: [entries(1, 2), entries(3, 5)]
    subscription = stage.hub.subscribe(EXECUTIONS, "alice", 3)
    assert await take_all(stage, subscription) == [entries(4, 5), CaughtUp(5)]


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
