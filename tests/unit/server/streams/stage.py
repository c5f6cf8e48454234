"""What the tests of streams play with: a journal in memory; reads and timers on command."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from typing import Any

from tradewire_server.feeds import FeedChunk, FeedKind, divide, rest, split, wrap
from tradewire_server.streams.hub import Hub, HubBounds
from tradewire_server.streams.subscription import QueueBounds, Subscription

EXECUTIONS = FeedKind.EXECUTIONS
ENTRY_BYTES = 10


def entries(first: int, last: int, key: str = "alice") -> FeedChunk:
    """Make a chunk whose entries say their numbers, ten bytes each."""
    data = b"".join(wrap(b"%08d" % number) for number in range(first, last + 1))
    return FeedChunk(EXECUTIONS, key, first, last, data)


def numbers(items: Iterable[object]) -> list[int]:
    """Return the numbers of all entries among the items, which their chunks must say too."""
    found: list[int] = []
    for item in items:
        if isinstance(item, FeedChunk):
            said = [int(message) for message in split(item.data)]
            assert said == list(range(item.first, item.last + 1))
            found += said
    return found


def others(items: Iterable[object]) -> list[object]:
    """Return the items that are no chunks."""
    return [item for item in items if not isinstance(item, FeedChunk)]


SMALL = HubBounds(
    queue=QueueBounds(bytes_max=10 * ENTRY_BYTES, items_max=8, read_bytes_max=4 * ENTRY_BYTES)
)


class MemoryJournal:
    """Chunks as they were committed, and since when they are kept."""

    def __init__(self) -> None:
        self._chunks: dict[str, list[FeedChunk]] = {}
        self._first: dict[str, int] = {}
        self.reads = 0
        self.exact = False
        """Reads end after exactly so many bytes, also within a commit."""

    def commit(self, count: int, key: str = "alice") -> FeedChunk:
        last = self.feed_range(EXECUTIONS, key)[1]
        chunk = entries(last + 1, last + count, key)
        self._chunks.setdefault(key, []).append(chunk)
        return chunk

    def keep_from(self, first: int, key: str = "alice") -> None:
        self._first[key] = first

    def feed_range(self, kind: FeedKind, key: str) -> tuple[int, int]:
        chunks = self._chunks.get(key)
        return (self._first.get(key, 1), chunks[-1].last if chunks else 0)

    def read_feed(self, kind: FeedKind, key: str, *, after: int, max_bytes: int) -> list[FeedChunk]:
        self.reads += 1
        found: list[FeedChunk] = []
        size = 0
        first = self._first.get(key, 1)
        for chunk in self._chunks.get(key, []):
            if chunk.last <= after or chunk.last < first:
                continue
            wanted = rest(chunk, after=max(after, first - 1))
            size += len(wanted.data)
            if size > max_bytes and self.exact:
                fitting = max_bytes - sum(len(chunk.data) for chunk in found)
                found += divide(wanted, bytes_max=fitting)[:1] if fitting else []
                break
            if found and size > max_bytes:
                break
            found.append(wanted)
        return found


class ManualExecutor(Executor):
    """Runs a call when told, and delivers its outcome when told."""

    def __init__(self) -> None:
        self.submitted: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self.executed: deque[tuple[Future[Any], Any]] = deque()

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.submitted.append((future, lambda: call(*arguments, **keywords)))
        return future

    def execute(self) -> bool:
        """Run the oldest call that still waits."""
        while self.submitted:
            future, call = self.submitted.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    self.executed.append((future, call()))
                except OSError as error:
                    self.executed.append((future, error))
                return True
        return False

    def deliver(self) -> bool:
        """Deliver the oldest outcome."""
        if not self.executed:
            return False
        future, outcome = self.executed.popleft()
        if isinstance(outcome, OSError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
        return True


class ManualTimer:
    def __init__(self, due_s: float, callback: Callable[[], None]) -> None:
        self.due_s = due_s
        self.callback = callback
        self.canceled = False

    def cancel(self) -> None:
        self.canceled = True


class ManualClock:
    """A clock and timers that go on when told."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.timers: list[ManualTimer] = []

    def read_ns(self) -> int:
        return self.now_ns

    def call_later(self, delay: float, callback: Callable[[], None], /) -> ManualTimer:
        timer = ManualTimer(self.now_ns / 1e9 + delay, callback)
        self.timers.append(timer)
        return timer

    def pending(self) -> list[ManualTimer]:
        self.timers = [timer for timer in self.timers if not timer.canceled]
        return self.timers

    def advance_ms(self, milliseconds: float) -> None:
        """Go on, and call what becomes due, in order."""
        end_ns = self.now_ns + round(milliseconds * 1e6)
        while True:
            due = [timer for timer in self.pending() if round(timer.due_s * 1e9) <= end_ns]
            if not due:
                break
            timer = min(due, key=lambda candidate: candidate.due_s)
            self.timers.remove(timer)
            self.now_ns = max(self.now_ns, round(timer.due_s * 1e9))
            timer.callback()
        self.now_ns = end_ns


class Stage:
    """A hub in front of a journal in memory."""

    def __init__(self, bounds: HubBounds | None = None) -> None:
        self.journal = MemoryJournal()
        self.executor = ManualExecutor()
        self.clock = ManualClock()
        self.hub = Hub(
            replay=self.journal.read_feed,
            feed_range=self.journal.feed_range,
            bounds=bounds,
            executor=self.executor,
            call_later=self.clock.call_later,
        )

    def commit(self, count: int, key: str = "alice") -> None:
        """Commit and publish."""
        self.hub.publish([self.journal.commit(count, key)])

    async def drain(self, taking: asyncio.Task[list[Any]]) -> list[Any]:
        """Let all reads happen until the taking is done."""
        for _ in range(100):
            await turn()
            if taking.done():
                return taking.result()
            if self.executor.execute():
                self.executor.deliver()
        raise AssertionError("nothing came")


async def turn() -> None:
    """Let the loop do all that is ready, however many hops it takes."""
    for _ in range(8):
        await asyncio.sleep(0)


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
