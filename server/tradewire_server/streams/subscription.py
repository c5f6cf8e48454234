"""A subscription to one feed: the journal's past first, then what is published, bounded in either
state.

The essay that explains the two states stands in `hub`. Everything here runs in the event loop,
except the reads of the journal, which the feed runs in a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from tradewire_server.feeds import FeedChunk, FeedKind, divide, rest
from tradewire_server.streams.inbox import CallLater, CaughtUp, Closed, Inbox, OutOfRange


class Pushed(NamedTuple):
    """What the owner of the subscription put in, and its size in bytes."""

    content: Any
    size: int


class Overflow(NamedTuple):
    """The last item of a subscription that did not keep up; `resume_after` is what was taken."""

    resume_after: int


Item = FeedChunk | Pushed | CaughtUp | Overflow | Closed


@dataclass(frozen=True, slots=True)
class QueueBounds:
    """How much may wait for a consumer."""

    bytes_max: int = 4 << 20
    """Bytes of chunks and pushed items. A chunk longer than this may wait alone."""
    items_max: int = 4096
    """Number of items."""
    read_bytes_max: int = 256 << 10
    """Bytes of one read of the journal, and of one item: longer chunks are divided."""


class Feed(Protocol):
    """What a subscription knows of its feed."""

    @property
    def kind(self) -> FeedKind: ...
    @property
    def key(self) -> str: ...
    @property
    def head(self) -> int:
        """Number of the last published entry."""

    def read(self, *, after: int) -> asyncio.Future[list[FeedChunk]]:
        """Read from the journal, in a thread."""

    def available(self) -> tuple[int, int]:
        """Return the first and the last number in the journal."""

    def overflowed(self) -> None:
        """Count a subscription that did not keep up."""

    def detach(self, subscription: Subscription, /) -> None:
        """Publish no more to it."""

    def release(self, subscription: Subscription, /) -> None:
        """Count it no more."""


class Subscription(Inbox[Item]):
    """Entries of one feed after a number, without gap or duplicate, and what the owner pushes."""

    def __init__(
        self,
        feed: Feed,
        *,
        after: int,
        bounds: QueueBounds,
        owner: str,
        call_later: CallLater | None,
    ) -> None:
        super().__init__(owner=owner, call_later=call_later)
        self.kind = feed.kind
        self.key = feed.key
        self._feed = feed
        self._bounds = bounds
        self._position = after  # last number queued or, while replaying, taken
        self._taken = after  # last number taken
        self._bytes = 0  # of all that waits
        self._overflowed = False
        self._reason: object = None
        # Live: what waits, in order.
        self._queue: list[Item] = []
        # Replaying: the newest chunks, without a gap up to the head, and pushed items, each with
        # the head at that time: it may be taken only after the entries up to there.
        self._tail: deque[FeedChunk] = deque()
        self._tail_bytes = 0
        self._held: deque[tuple[int, Pushed]] = deque()
        self._read: asyncio.Future[list[FeedChunk]] | None = None
        self._replaying = after < feed.head
        if not self._replaying:
            self._queue.append(CaughtUp(after))

    @property
    def resume_after(self) -> int:
        """The last number that the consumer has taken."""
        return self._taken

    @property
    def waiting_bytes(self) -> int:
        """How much waits for the consumer."""
        return self._bytes

    def offer(self, pieces: Sequence[FeedChunk], size: int) -> None:
        """Take a published chunk, divided, of `size` bytes in all. For the hub only."""
        if self._ending:
            return
        if self._replaying:
            self._offer_tail(pieces, size)
            return
        if pieces[0].first <= self._position:
            # It was read from the journal, or taken before, between commit and publication.
            pieces = [rest(p, after=self._position) for p in pieces if p.last > self._position]
            size = sum(len(piece.data) for piece in pieces)
            if not pieces:
                return
        if self._exceeds(size, len(self._queue) + len(pieces)):
            self._overflow()
            return
        self._queue += pieces
        self._bytes += size
        self._position = pieces[-1].last
        self.wake()

    def push(self, content: Any, *, size: int) -> bool:
        """Add an item of the owner after all that was published before; False when it has ended.

        It comes after the executions that were published before it, also when those have still to
        be replayed. It counts in the bounds, and may end the subscription as a chunk may.
        """
        if self._ending:
            return False
        size = max(size, 1)  # even nothing takes a place
        if self._exceeds(size, len(self._queue) + len(self._held) + len(self._tail) + 1):
            if self._replaying:
                self._drop_tail()
            if self._exceeds(size, len(self._queue) + len(self._held) + 1):
                self._overflow()
                return False
        self._bytes += size
        if self._replaying:
            self._held.append((self._feed.head, Pushed(content, size)))
        else:
            self._queue.append(Pushed(content, size))
            self.wake()
        return True

    def close(self, reason: object, *, at_once: bool = False) -> None:
        """End it with `Closed(reason)` after what waits, or in place of what waits.

        A replay is not completed. A subscription that overflowed stays so; one that was closed can
        still be closed at once.
        """
        if self.finished or self._overflowed or (self._ending and not at_once):
            return
        self._reason = reason
        if at_once:
            self._clear()
            self._position = self._taken
        self._feed.detach(self)
        self._end()

    def _exceeds(self, size: int, items: int) -> bool:
        """Tell whether so much more, which makes so many items, is too much behind what waits."""
        bounds = self._bounds
        return self._bytes > 0 and (
            self._bytes + size > bounds.bytes_max or items > bounds.items_max
        )

    def _overflow(self) -> None:
        self._overflowed = True
        self._feed.overflowed()
        self._clear()
        self._feed.detach(self)
        self._end()

    def _offer_tail(self, pieces: Sequence[FeedChunk], size: int) -> None:
        if self._exceeds(size, len(self._tail) + len(self._held) + len(pieces)):
            self._drop_tail()
            if self._exceeds(size, len(self._held) + len(pieces)):
                return
        self._tail += pieces
        self._tail_bytes += size
        self._bytes += size

    def _drop_tail(self) -> None:
        """Forget the newest chunks: the journal has them, and the replay gets there."""
        self._tail.clear()
        self._bytes -= self._tail_bytes
        self._tail_bytes = 0

    def _collect(self) -> list[Item]:
        if self._overflowed:
            items: list[Item] = [Overflow(self._taken)]
            self.release()
            return items
        if self._replaying:
            items = self._collect_replay()
            self._taken = self._position
        else:
            items, self._queue = self._queue, []
            self._bytes = 0
            self._taken = self._position
        if self._ending:
            items.append(Closed(self._reason, self._taken))
            self.release()
        return items

    def _collect_replay(self) -> list[Item]:
        items: list[Item] = []
        if self._ending:
            return items
        if self._read is not None and self._read.done():
            read, self._read = self._read, None
            if not self._advance(self._chunks_of(read), items):
                return items
        if self._reaches_live():
            self._go_live(items)
        elif self._read is None and not items:
            # One read at a time, and none before the consumer has come back for more.
            self._read = self._feed.read(after=self._position)
            self._read.add_done_callback(self._read_done)
        return items

    def _read_done(self, read: asyncio.Future[list[FeedChunk]]) -> None:
        if self._read is read:
            self.wake()

    def _chunks_of(self, read: asyncio.Future[list[FeedChunk]]) -> list[FeedChunk]:
        """Return what was read; nothing when the read failed because it is not there any more."""
        error = read.exception()
        if error is None:
            return read.result()
        if self._feed.available()[0] > self._position + 1:
            return []
        raise error

    def _advance(self, chunks: Sequence[FeedChunk], items: list[Item]) -> bool:
        """Hand out what was read; False when the journal has lost what comes next."""
        before = self._position
        for chunk in chunks:
            if chunk.first > self._position + 1:
                break
            if chunk.last > self._position:
                wanted = rest(chunk, after=self._position)
                items += divide(wanted, bytes_max=self._bounds.read_bytes_max)
                self._position = chunk.last
                self._release_held(items)
        else:
            if self._position > before:
                return True
        # Retention was faster than the consumer: never silently.
        self._reason = OutOfRange(*self._feed.available())
        self._feed.detach(self)
        self._end()
        return False

    def _release_held(self, items: list[Item]) -> None:
        while self._held and self._held[0][0] <= self._position:
            pushed = self._held.popleft()[1]
            self._bytes -= pushed.size
            items.append(pushed)

    def _reaches_live(self) -> bool:
        tail = self._tail
        return self._position >= self._feed.head or (
            bool(tail) and tail[0].first <= self._position + 1
        )

    def _go_live(self, items: list[Item]) -> None:
        for piece in self._tail:
            if piece.last > self._position:
                items.append(rest(piece, after=self._position))
                self._position = piece.last
                self._release_held(items)
        assert not self._held, "an item was pushed after entries that were never published"
        items.append(CaughtUp(self._position))
        self._replaying = False
        self._clear()

    def _clear(self) -> None:
        if self._read is not None:
            read, self._read = self._read, None
            if not read.cancel() and not read.cancelled():
                read.exception()  # looked at, so that asyncio does not report it as lost
        self._queue.clear()
        self._tail.clear()
        self._held.clear()
        self._bytes = self._tail_bytes = 0

    def _forget(self) -> None:
        self._clear()
        self._feed.detach(self)
        self._feed.release(self)
