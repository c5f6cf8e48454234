"""Inboxes: how one consumer waits for the items of a subscription, and how it learns of the end.

An inbox belongs to the event loop. Producers put items where `_collect` finds them and call `wake`;
the one consumer calls `take`. Nothing here ever makes a producer wait.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> object:
        """Make sure that it does not happen."""


class CallLater(Protocol):
    """Calls a function after some seconds, as `loop.call_later` does."""

    def __call__(self, delay: float, callback: Callable[[], None], /) -> Timer: ...


class CaughtUp(NamedTuple):
    """What was to be sent first has been sent; what follows is live. Comes exactly once."""

    as_of: int


class Closed(NamedTuple):
    """The last item of a subscription that was closed; `resume_after` is what came before."""

    reason: Any
    resume_after: int


class StreamError(Exception):
    """Something about a subscription.

    StreamError
     +-- OutOfRange             the wanted numbers do not exist, or not any more
     +-- TooManySubscriptions   a bound on subscriptions is reached
     +-- SubscriptionEnded      items are taken after the last one
    """


class OutOfRange(StreamError):
    """A feed cannot be continued there: it holds entries `first` to `last`."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(f"available are numbers {first} to {last}")
        self.first = first
        self.last = last


class TooManySubscriptions(StreamError):
    """There are as many as allowed already; `what` says of which kind, `of_owner` that they are the
    owner's own, which has it in hand to close some.
    """

    def __init__(self, what: str, limit: int, *, of_owner: bool = False) -> None:
        super().__init__(f"too many {what}: at most {limit}")
        self.what = what
        self.limit = limit
        self.of_owner = of_owner


class SubscriptionEnded(StreamError):
    """The last item was taken before, or the subscription was released."""


ItemT = TypeVar("ItemT")


class Inbox(abc.ABC, Generic[ItemT]):
    """The consumer's end of a subscription. Use it as a context manager, so that it is released."""

    def __init__(self, *, owner: str, call_later: CallLater | None) -> None:
        self.owner = owner
        """Whom it belongs to, for those who close the subscriptions of somebody."""
        self.finished = False
        """True when nothing can be taken any more."""
        self._call_later = call_later
        self._waiter: asyncio.Future[None] | None = None
        self._expired = False
        self._ending = False
        self._end_callback: Callable[[], None] | None = None

    async def take(self, timeout_s: float | None = None) -> list[ItemT]:
        """Return all items there are, at least one; or none when it stayed quiet for so long.

        To be called by one consumer at a time.

        Raises:
            SubscriptionEnded: the last item was taken before.
        """
        if self.finished:
            raise SubscriptionEnded
        items = self._collect()
        return items or await self._wait(timeout_s)

    async def __aiter__(self) -> AsyncIterator[ItemT]:
        """Iterate over the items, the last one included."""
        while not self.finished:
            for item in await self.take():
                yield item

    def wake(self) -> None:
        """Let the waiting consumer look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call back once when the end is decided, even while the consumer is stuck elsewhere.

        The consumer finds the last item with its next `take`; but one that waits for a peer that
        does not read may never come to it.
        """
        if self._ending:
            callback()
        else:
            self._end_callback = callback

    def release(self) -> None:
        """Forget everything: the consumer is gone. May be repeated."""
        if not self.finished:
            self.finished = True
            self._ending = True
            self._end_callback = None
            self._forget()
            self.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    @abc.abstractmethod
    def _collect(self) -> list[ItemT]:
        """Return what there is, possibly nothing."""

    @abc.abstractmethod
    def _forget(self) -> None:
        """Give back memory and registrations."""

    def _end(self) -> None:
        """Note that no further items come in; the last one is up to `_collect`."""
        if not self._ending:
            self._ending = True
            callback, self._end_callback = self._end_callback, None
            if callback is not None:
                callback()
        self.wake()

    async def _wait(self, timeout_s: float | None) -> list[ItemT]:
        assert self._waiter is None, "an inbox has one consumer"
        loop = asyncio.get_running_loop()
        timer: Timer | None = None
        if timeout_s is not None:
            timer = (self._call_later or loop.call_later)(timeout_s, self._expire)
        self._expired = False
        items: list[ItemT] = []
        try:
            while not items and not self._expired:
                self._waiter = loop.create_future()
                await self._waiter
                if self.finished:
                    raise SubscriptionEnded
                items = self._collect()
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
        return items

    def _expire(self) -> None:
        self._expired = True
        self.wake()
