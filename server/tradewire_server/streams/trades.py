"""Public trades that wait to be sent: the newest ones of an instrument, bounded."""

from __future__ import annotations

from collections import deque

from tradewire_server.feeds import FeedChunk, rest


class TradeRun:
    """A run of consecutive trades; the oldest give way, which the numbers of the rest show."""

    __slots__ = ("_chunks", "_count", "_count_max")

    def __init__(self, *, count_max: int) -> None:
        self._chunks: deque[FeedChunk] = deque()
        self._count = 0
        self._count_max = count_max

    def __len__(self) -> int:
        return self._count

    def add(self, chunk: FeedChunk) -> None:
        """Take later trades."""
        if self._chunks and chunk.first != self._chunks[-1].last + 1:
            # What was lost between shows only when it lies before the first number of a run.
            self.clear()
        self._chunks.append(chunk)
        self._count += chunk.last - chunk.first + 1
        while self._count > self._count_max:
            self._shorten()

    def take(self) -> FeedChunk | None:
        """Return all trades as one chunk and begin anew."""
        if not self._chunks:
            return None
        first, last = self._chunks[0], self._chunks[-1]
        if first is last:
            run = first
        else:
            data = b"".join([chunk.data for chunk in self._chunks])
            run = FeedChunk(first.kind, first.key, first.first, last.last, data)
        self.clear()
        return run

    def clear(self) -> None:
        """Forget all."""
        self._chunks.clear()
        self._count = 0

    def _shorten(self) -> None:
        oldest = self._chunks.popleft()
        size = oldest.last - oldest.first + 1
        excess = self._count - self._count_max
        self._count -= min(size, excess)
        if size > excess:
            self._chunks.appendleft(rest(oldest, after=oldest.first + excess - 1))
