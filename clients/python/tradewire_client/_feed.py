"""The executions of an order entry stream, for a reader who may be slower than the stream, or
absent.

The stream also carries the results of commands, so nothing may hold it up. But nothing may be
skipped either. So a bounded number of executions is held; beyond that they are let go, and fetched
again by their numbers when the reader gets there. From the outside it is one sequence without a
gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from tradewire_client._errors import ClientClosed, SequenceGap, TradewireError
from tradewire_client._gen.tradewire import v1
from tradewire_client._values import Execution

FetchExecutions = Callable[[int], Awaitable[Sequence[Execution]]]
"""Returns a page of executions after a number."""


class ExecutionFeed:
    """An asynchronous iterator over executions; one task at a time can read it."""

    def __init__(self, *, limit: int, fetch: FetchExecutions) -> None:
        self._limit = limit
        self._fetch = fetch
        self._held: deque[v1.Execution] = deque()
        self._fetched: deque[Execution] = deque()
        # Executions after the held ones were let go.
        self._has_hole = False
        self._last: int | None = None
        self._newest = 0
        self._failure: TradewireError | None = None
        self._news = asyncio.Event()
        self._is_read = False

    def begin(self, after_sequence: int) -> None:
        """Say where the sequence begins, as soon as it is known; only the first word counts."""
        if self._last is None:
            self._last = self._newest = after_sequence

    def push(self, execution: v1.Execution) -> None:
        """Take the next execution; never waits."""
        self.begin(execution.sequence - 1)
        self._newest = execution.sequence
        if self._has_hole or len(self._held) >= self._limit:
            self._has_hole = True
        else:
            self._held.append(execution)
        self._news.set()

    def end(self, error: TradewireError) -> None:
        """Say that nothing more will come; what is held can still be read."""
        self._failure = self._failure or error
        self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Execution:
        if self._is_read:
            raise RuntimeError("one task at a time can read executions")
        self._is_read = True
        try:
            return await self._next()
        finally:
            self._is_read = False

    async def _next(self) -> Execution:
        while True:
            if self._fetched:
                return self._hand_out(self._fetched.popleft())
            if self._held:
                message = self._held.popleft()
                if self._last is not None and message.sequence <= self._last:
                    # Fetched and handed out in the meantime.
                    continue
                return self._hand_out(Execution.from_message(message))
            if self._has_hole:
                await self._fill_hole()
            elif isinstance(self._failure, ClientClosed):
                raise StopAsyncIteration
            elif self._failure is not None:
                raise self._failure
            else:
                self._news.clear()
                await self._news.wait()

    def _hand_out(self, execution: Execution) -> Execution:
        self._last = execution.sequence
        return execution

    async def _fill_hole(self) -> None:
        assert self._last is not None, "a hole is behind something"
        page = await self._fetch(self._last)
        if not page or page[0].sequence != self._last + 1:
            received = page[0].sequence if page else self._newest + 1
            raise SequenceGap("executions", last_sequence=self._last, received=received)
        self._fetched.extend(page)
        if page[-1].sequence >= self._newest:
            self._has_hole = False
