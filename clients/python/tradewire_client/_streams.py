"""Server streams that are opened again when they end, and go on where they stopped.

Rules of this file:

- A message is read only when somebody asks for the next item. So memory is bounded by one message,
  and a slow reader is the venue's to judge: it says so in band and closes, and the stream resumes.
- The venue is never quiet for longer than its heartbeat. A stream that is quiet for
  `StreamPolicy.quiet` seconds is dead, whatever TCP believes.
- What ended for a reason that passes is opened again after a wait with full jitter, for ever or for
  `give_up_after` seconds. What ended for good raises its error, and raises it again when asked
  again.
- What was received before a broken promise is handed out before the error is raised.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

import grpc.aio

from tradewire_client._calls import Authority, Metadata
from tradewire_client._errors import (
    ClientClosed,
    ConfigurationError,
    Exhausted,
    ProtocolViolation,
    ServerFault,
    StreamClosed,
    TimedOut,
    TradewireError,
    Unavailable,
    error_of_call,
    error_of_status,
    is_transient,
    needs_sign_in,
)
from tradewire_client._gen.google import rpc
from tradewire_client._gen.tradewire import v1
from tradewire_client._retry import RetryPolicy
from tradewire_client._world import World

logger = logging.getLogger("tradewire_client.streams")

# Answers outside the catalogue in a row, and sign-ins without a message between them, after which
# the answer is taken for final.
_FAULTS_MAX = 5
_SIGN_INS_MAX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPolicy:
    """How streams are watched and opened again; times in seconds."""

    quiet: float = 25.0
    """Time without a message after which a stream is dead; the venue sends a heartbeat every 10
    seconds.
    """
    initial_backoff: float = 0.1
    """Bound of the first wait; each next one is twice that."""
    maximum_backoff: float = 5.0
    """Bound of all waits."""
    give_up_after: float | None = None
    """Time without a message after which the error is raised; None means never."""

    def __post_init__(self) -> None:
        if min(self.quiet, self.initial_backoff, self.maximum_backoff) <= 0:
            raise ConfigurationError("times must be positive")


class Event(Protocol):
    """What the messages of all server streams have in common."""

    closing: v1.Closing | None


Message = TypeVar("Message", bound=Event)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Plumbing:
    """What every stream of a client needs."""

    authority: Authority
    policy: StreamPolicy
    world: World


class Outages:
    """Counts failures in a row, and decides whether and when to try again."""

    def __init__(self, plumbing: Plumbing) -> None:
        self._policy = plumbing.policy
        self._world = plumbing.world
        self._backoff = RetryPolicy(
            initial_backoff=plumbing.policy.initial_backoff,
            maximum_backoff=plumbing.policy.maximum_backoff,
        )
        self._failures = 0
        self._faults = 0
        self._sign_ins = 0
        self._alive_at = plumbing.world.monotonic()
        self.last: TradewireError | None = None
        """The failure that came last."""

    def over(self) -> None:
        """Note that a message came."""
        self._failures = self._faults = self._sign_ins = 0
        self._alive_at = self._world.monotonic()

    async def endure(self, error: TradewireError, *, name: str) -> None:
        """Wait until the next try is due.

        Raises:
            TradewireError: the same error, when there is no sense in trying again.
        """
        self.last = error
        self._failures += 1
        # A connection that is lost during a write looks like a fault, so only those in a row count.
        self._faults = self._faults + 1 if isinstance(error, ServerFault) else 0
        self._sign_ins += needs_sign_in(error)
        if not self._is_passing(error):
            raise error
        patience = self._policy.give_up_after
        if patience is not None and self._world.monotonic() - self._alive_at >= patience:
            raise error
        delay = self._backoff.backoff(self._failures, random=self._world.random)
        if isinstance(error, Exhausted):
            delay += error.retry_after or 0.0
        logger.info("%s ended, trying again in %.3f s: %s", name, delay, error)
        await self._world.sleep(delay)

    def _is_passing(self, error: TradewireError) -> bool:
        if needs_sign_in(error):
            return self._sign_ins <= _SIGN_INS_MAX
        if isinstance(error, ServerFault):
            # A reset stream looks like this, and so does a bug of the venue.
            exhausted = error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            return not exhausted and self._faults <= _FAULTS_MAX
        return is_transient(error)


class SupervisedStream(ABC, Generic[Message, Item]):
    """An asynchronous iterator over a server stream; `async with` closes it in time."""

    def __init__(self, plumbing: Plumbing) -> None:
        self._authority = plumbing.authority
        self._quiet = plumbing.policy.quiet
        self._outages = Outages(plumbing)
        self._name = type(self).__name__
        self._authorization: Metadata = ()
        self._call: Reading[Message] | None = None
        self._ready: deque[Item] = deque()
        self._failure: TradewireError | None = None
        self._reading = False

    @abstractmethod
    def _open(self, metadata: Metadata) -> grpc.aio.UnaryStreamCall[Any, Message]:
        """Call the method, to go on where the stream stopped."""

    @abstractmethod
    def _accept(self, message: Message) -> Iterator[Item]:
        """Return what a message means to the reader.

        Raises:
            ProtocolViolation: the venue broke its contract.
        """

    async def _before_reopening(self) -> None:
        """Check what must hold before the stream goes on."""

    def _hand_out(self, item: Item) -> Item:
        return item

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        while not self._ready:
            await self._receive()
        return self._hand_out(self._ready.popleft())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream; iteration over it stops."""
        self._drop_call()
        self._ready.clear()
        if self._failure is None:
            self._failure = ClientClosed("the stream is closed")

    async def _receive(self) -> None:
        """Read one message and make items of it; on failure, note it after the items before it.

        Raises:
            StopAsyncIteration: the stream was closed.
            TradewireError: the stream failed.
        """
        if isinstance(self._failure, ClientClosed):
            raise StopAsyncIteration
        if self._failure is not None:
            raise self._failure
        if self._reading:
            raise RuntimeError("one task at a time can read a stream")
        self._reading = True
        try:
            message = await self._next_message()
            for item in self._accept(message):
                self._ready.append(item)
        except TradewireError as error:
            self._drop_call()
            self._failure = self._failure or error
        finally:
            self._reading = False

    async def _next_message(self) -> Message:
        while True:
            try:
                reading = self._call or await self._opened()
                message = await reading.next()
                if self._failure is not None:
                    # Closed by another task meanwhile.
                    raise self._failure
                if message.closing is not None:
                    raise error_of_closing(message.closing)
            except ProtocolViolation:
                raise
            except TradewireError as error:
                self._drop_call()
                if needs_sign_in(error):
                    self._authority.invalidate(self._authorization)
                await self._outages.endure(error, name=self._name)
            else:
                self._outages.over()
                return message

    async def _opened(self) -> Reading[Message]:
        self._authorization = await self._authority.authorization()
        await self._before_reopening()
        try:
            call = self._open(self._authorization)
        except grpc.aio.UsageError as error:
            raise ClientClosed("the client is closed") from error
        self._call = Reading(call, quiet=self._quiet)
        return self._call

    def _drop_call(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None


class Reading(Generic[Message]):
    """The reading end of a call.

    gRPC ends the call when a pending read is canceled. People put time-outs around `anext`, and
    that must not cost the stream, so a pending read outlives who waits for it.
    """

    def __init__(
        self,
        call: grpc.aio.UnaryStreamCall[Any, Message] | grpc.aio.StreamStreamCall[Any, Message],
        *,
        quiet: float,
    ) -> None:
        self._call = call
        self._quiet = quiet
        self._pending: asyncio.Task[Any] | None = None

    async def next(self) -> Message:
        """Return the next message.

        Raises:
            TimedOut: none came for too long.
            TradewireError: the stream failed, or ended without saying why.
        """
        if self._pending is None:
            self._pending = asyncio.create_task(_read(self._call), name="tradewire read")
            self._pending.add_done_callback(_retrieve)
        await asyncio.wait({self._pending}, timeout=self._quiet)
        if not self._pending.done():
            raise TimedOut(f"no message for {self._quiet:g} seconds, not even a heartbeat")
        finished, self._pending = self._pending, None
        try:
            message: Any = finished.result()
        except grpc.aio.AioRpcError as error:
            raise error_of_call(error) from error
        except asyncio.CancelledError as error:
            raise ClientClosed("the stream is closed") from error
        if message is grpc.aio.EOF:
            raise Unavailable("the stream ended without saying why")
        received: Message = message
        return received

    def cancel(self) -> None:
        """End the call."""
        self._call.cancel()
        if self._pending is not None:
            self._pending.cancel()


async def _read(
    call: grpc.aio.UnaryStreamCall[Any, Message] | grpc.aio.StreamStreamCall[Any, Message],
) -> Any:
    return await call.read()


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at the exception of a read that nobody waits for, so that it is not reported."""
    if not task.cancelled():
        task.exception()


def error_of_closing(closing: v1.Closing) -> TradewireError:
    """Return the error that a closing means."""
    error = error_of_status(closing.status or rpc.Status())
    if isinstance(error, StreamClosed):
        error.resume_after = closing.resume_after
    return error
