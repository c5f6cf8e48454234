"""Executions beside the results: bounded, never in the way, never with a gap."""

import asyncio
from typing import Any

import pytest
import tradewire_client as tw
from hypothesis import given
from hypothesis import strategies as st
from tradewire_client._feed import ExecutionFeed
from tradewire_client._gen.tradewire import v1

from tests.unit.client.fake_venue import execution


class Venue:
    """What ListExecutions would answer."""

    def __init__(self, page: Any = 3) -> None:
        self.head = 0
        self.page = page
        self.fetches: list[int] = []

    async def fetch(self, after: Any) -> Any:
        self.fetches.append(after)
        await asyncio.sleep(0)
        return [value(n) for n in range(after + 1, min(after + self.page, self.head) + 1)]


def message(number: Any) -> Any:
    return v1.Execution.parse(execution(number).SerializeToString())


def value(number: Any) -> Any:
    return tw.Execution.from_message(message(number))


def push(feed: Any, venue: Any, *numbers: Any) -> None:
    for number in numbers:
        venue.head = number
        feed.push(message(number))


async def take(feed: Any, count: Any) -> Any:
    return [(await anext(feed)).sequence for _ in range(count)]


async def test_what_fits_is_not_fetched() -> None:
    venue = Venue()
    feed = ExecutionFeed(limit=3, fetch=venue.fetch)
    push(feed, venue, 1, 2, 3)
    assert await take(feed, 3) == [1, 2, 3]
    assert venue.fetches == []


async def test_what_does_not_fit_is_fetched_when_its_turn_comes() -> None:
    venue = Venue()
    feed = ExecutionFeed(limit=2, fetch=venue.fetch)
    push(feed, venue, *range(1, 10))
    assert await take(feed, 9) == [*range(1, 10)]
    assert venue.fetches == [2, 5, 8]


async def test_nothing_held_at_all_is_one_sequence_too() -> None:
    venue = Venue()
    feed = ExecutionFeed(limit=0, fetch=venue.fetch)
    push(feed, venue, 5, 6, 7)
    assert await take(feed, 3) == [5, 6, 7]


async def test_what_was_fetched_ahead_of_the_stream_is_not_repeated() -> None:
    venue = Venue(page=100)
    feed = ExecutionFeed(limit=2, fetch=venue.fetch)
    push(feed, venue, 1, 2, 3)
    venue.head = 6
    assert await take(feed, 3) == [1, 2, 3]
    push(feed, venue, 4, 5, 6, 7)
    assert await take(feed, 4) == [4, 5, 6, 7]


async def test_executions_that_come_during_a_fetch_are_not_lost() -> None:
    venue = Venue(page=2)
    feed = ExecutionFeed(limit=1, fetch=venue.fetch)
    push(feed, venue, 1, 2, 3)
    assert await take(feed, 1) == [1]
    reader = asyncio.create_task(take(feed, 5))
    await asyncio.sleep(0)
    push(feed, venue, 4, 5, 6)
    assert await reader == [2, 3, 4, 5, 6]


async def test_a_reader_waits_for_news() -> None:
    venue = Venue()
    feed = ExecutionFeed(limit=5, fetch=venue.fetch)
    reader = asyncio.create_task(take(feed, 2))
    await asyncio.sleep(0)
    push(feed, venue, 4, 5)
    assert await reader == [4, 5]


async def test_what_is_held_is_read_before_the_end() -> None:
    venue = Venue()
    feed = ExecutionFeed(limit=5, fetch=venue.fetch)
    push(feed, venue, 1)
    feed.end(tw.ClientClosed("closed"))
    assert [item.sequence async for item in feed] == [1]


async def test_a_failure_is_told_after_what_is_held() -> None:
    venue = Venue()
    feed = ExecutionFeed(limit=5, fetch=venue.fetch)
    push(feed, venue, 1)
    feed.end(tw.PermissionDenied("no"))
    assert await take(feed, 1) == [1]
    with pytest.raises(tw.PermissionDenied):
        await anext(feed)


@pytest.mark.parametrize("page", [[], [value(7)]])
async def test_a_page_that_does_not_continue_is_a_gap(page: Any) -> None:
    async def fetch(after: Any) -> Any:
        return page

    feed = ExecutionFeed(limit=1, fetch=fetch)
    for number in (1, 2, 3):
        feed.push(message(number))
    assert await take(feed, 1) == [1]
    with pytest.raises(tw.SequenceGap) as caught:
        await anext(feed)
    assert caught.value.last_sequence == 1


async def test_two_readers_are_refused() -> None:
    feed = ExecutionFeed(limit=1, fetch=Venue().fetch)
    first = asyncio.create_task(anext(feed))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="one task at a time"):
        await anext(feed)
    first.cancel()


@given(
    st.integers(0, 4),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12),
)
def test_any_pace_of_stream_and_reader_gives_one_sequence(
    limit: Any, page: Any, steps: Any
) -> None:
    async def scenario() -> None:
        venue = Venue(page)
        feed = ExecutionFeed(limit=limit, fetch=venue.fetch)
        feed.begin(0)
        pushed = read = 0
        for pushes, reads in steps:
            push(feed, venue, *range(pushed + 1, pushed + pushes + 1))
            pushed += pushes
            count = min(reads, pushed - read)
            assert await take(feed, count) == [*range(read + 1, read + count + 1)]
            read += count
        assert await take(feed, pushed - read) == [*range(read + 1, pushed + 1)]

    asyncio.run(scenario())
