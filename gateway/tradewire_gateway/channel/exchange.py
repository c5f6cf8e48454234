"""One call as both of its ends see it: two bounded streams of frames, metadata, one status.

The client's call object and the server's context hold the same Exchange and nothing of each other.
Whatever the kind of the call, requests and responses travel through a Pipe each; a unary side is a
stream of one. That is how the network has it, and what lets an interceptor answer any call with a
unary handler.

How a call ends
- `end`: the server's status. The client sees it once it has taken all responses sent before it.
- `abandon`: the client has cancelled or the deadline has passed. The status is seen at once, what
  is still under way in either direction is dropped, and the handler's task is cancelled.
- `revoke`: the server stops. As `end`, but the handler did not ask for it and is cancelled.

The first to come decides, later ones change nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from tradewire_gateway.channel.isolation import Deserializer, Serializer, thaw
from tradewire_gateway.channel.metadata import Metadatum, Pairs

T = TypeVar("T")
Frame = Message | bytes


class Status(NamedTuple):
    """How a call ended."""

    code: grpc.StatusCode
    details: str = ""
    trailing_metadata: Pairs = ()


DEADLINE_EXCEEDED: Final = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
LOCALLY_CANCELLED: Final = Status(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
COLLECTED: Final = Status(grpc.StatusCode.CANCELLED, "Cancelled upon garbage collection!")


class Latch(Generic[T]):
    """A value that is set once and that any number of tasks can wait for."""

    __slots__ = ("_waiters", "value")

    def __init__(self) -> None:
        self.value: T | None = None
        # A dictionary for its order; waiters that give up are taken out.
        self._waiters: dict[asyncio.Future[None], None] = {}

    def set(self, value: T) -> None:
        self.value = value
        for waiter in self._waiters:
            _wake(waiter)
        self._waiters.clear()

    async def wait(self) -> T:
        while self.value is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters[waiter] = None
            try:
                await waiter
            finally:
                self._waiters.pop(waiter, None)
        return self.value


class Pipe:
    """A bounded queue of frames for one direction of a call, with one writer and one reader."""

    __slots__ = ("_closed", "_frames", "_length_max", "_reader", "_writer")

    def __init__(self, length_max: int) -> None:
        self._frames: deque[Frame] = deque()
        self._length_max = length_max
        self._closed = False
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    @property
    def drained(self) -> bool:
        """Whether nothing is left to read and nothing will come."""
        return self._closed and not self._frames

    async def put(self, frame: Frame) -> bool:
        """Append a frame, waiting while the pipe is full; False says that nobody will read it."""
        while len(self._frames) >= self._length_max and not self._closed:
            if self._writer is not None:
                raise grpc.aio.UsageError("Only one write may be under way on a call.")
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None
        if self._closed:
            # Lets others run even if the writer goes on in a loop.
            await asyncio.sleep(0)
            return False
        self.put_nowait(frame)
        return True

    def put_nowait(self, frame: Frame) -> None:
        """Append a frame, however full the pipe is."""
        self._frames.append(frame)
        _wake(self._reader)

    async def get(self) -> Frame | None:
        """Remove the oldest frame, waiting for one; None says that no more will come."""
        while not self._frames:
            if self._closed:
                return None
            if self._reader is not None:
                raise grpc.aio.UsageError("Only one read may be under way on a call.")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self.take()

    def take(self) -> Frame | None:
        """Remove the oldest frame, None if there is none yet."""
        if not self._frames:
            return None
        _wake(self._writer)
        return self._frames.popleft()

    def close(self) -> None:
        """Let nothing more in; what is in the pipe can still be read."""
        self._closed = True
        _wake(self._reader)
        _wake(self._writer)

    def discard(self) -> None:
        """Close the pipe and drop what is in it."""
        self._frames.clear()
        self.close()


class Exchange:
    """The state of one call. See the module's text for how it ends."""

    __slots__ = (
        "_final",
        "_on_settled",
        "_settled_callbacks",
        "_timer",
        "deadline",
        "initial_metadata",
        "invocation_metadata",
        "locally_cancelled",
        "loop",
        "method",
        "peer",
        "request_serializer",
        "requests",
        "response_deserializer",
        "response_serializer",
        "responses",
        "status",
        "status_sent",
        "task",
        "unary_response",
    )

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        method: str,
        peer: str,
        invocation_metadata: Pairs,
        timeout: float | None,
        request_serializer: Serializer | None,
        response_deserializer: Deserializer | None,
        unary_response: bool,
        stream_length_max: int,
        on_settled: Callable[[Exchange], object],
    ) -> None:
        self.loop = loop
        self.method = method
        self.peer = peer
        self.invocation_metadata = invocation_metadata
        self.request_serializer = request_serializer
        self.response_deserializer = response_deserializer
        self.unary_response = unary_response
        self.requests = Pipe(stream_length_max)
        self.responses = Pipe(stream_length_max)
        self.initial_metadata: Latch[tuple[Metadatum, ...]] = Latch()
        self.status: Latch[Status] = Latch()
        """What the client sees of the call's end."""
        self.status_sent = False
        """Whether the server has ended the call, which the client may not see yet."""
        self.locally_cancelled = False
        self.response_serializer: Serializer | None = None
        """The handler's, known once the handler is."""
        self.task: asyncio.Task[None] | None = None
        """The handler's task, once it is scheduled."""
        self._final: Status | None = None
        self._on_settled = on_settled
        self._settled_callbacks: list[Callable[[], object]] = []
        self.deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        if timeout is not None:
            self.deadline = loop.time() + timeout
            self._timer = loop.call_at(self.deadline, self.abandon, DEADLINE_EXCEEDED)

    @property
    def abandoned(self) -> bool:
        """Whether the call has ended at the client although the server has not ended it."""
        return self.status.value is not None and not self.status_sent

    def time_remaining(self) -> float | None:
        """Return the seconds left, None without a deadline."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - self.loop.time())

    async def next_request(self, deserializer: Deserializer | None) -> Any:
        """Return the client's next message, EOF after the last."""
        frame = await self.requests.get()
        if frame is None:
            return grpc.aio.EOF
        return thaw(frame, serializer=self.request_serializer, deserializer=deserializer)

    async def next_response(self) -> Any:
        """Return the server's next message, or EOF; taking the last one shows the status."""
        frame = await self.responses.get()
        if self._final is not None and self.status.value is None and self.responses.drained:
            self._settle(self._final)
        return grpc.aio.EOF if frame is None else self._thaw_response(frame)

    def only_response(self) -> Any:
        """Return the message of a call with a unary response that has ended well."""
        frame = self.responses.take()
        if frame is None:
            raise _client_error("The server ended the call without a response.")
        return self._thaw_response(frame)

    def send_initial_metadata(self, metadata: Pairs) -> None:
        """Show initial metadata to the client; only the first counts."""
        if self.initial_metadata.value is None:
            self.initial_metadata.set(metadata)

    def end(self, status: Status, response: Frame | None = None) -> None:
        """Send the server's status, with the response if there is just one."""
        if self.status_sent:
            return
        self.status_sent = True
        if self.status.value is not None:
            return
        self.send_initial_metadata(())
        self.requests.discard()
        if response is not None:
            self.responses.put_nowait(response)
        self.responses.close()
        if self.unary_response or self.responses.drained:
            self._settle(status)
        else:
            self._final = status

    def abandon(self, status: Status, *, locally: bool = False) -> bool:
        """Give the call up at the client; False says that it had ended before."""
        if self.status.value is not None:
            return False
        self.locally_cancelled = locally
        self._settle(status)
        self.requests.discard()
        self.responses.discard()
        if not self.status_sent:
            self._cancel_handler()
        return True

    def revoke(self, status: Status) -> None:
        """End the call at the server without the handler's doing."""
        if self.status_sent or self.abandoned:
            return
        self.end(status)
        self._cancel_handler()

    def when_settled(self, callback: Callable[[], object]) -> None:
        """Call back once the client sees the status; at once if it does."""
        if self.status.value is not None:
            callback()
        else:
            self._settled_callbacks.append(callback)

    def _settle(self, status: Status) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # Callbacks are scheduled before the waiters are woken, so that they run first. They are not
        # run here: this may be the handler's task, which a client's exception must not reach.
        for callback in self._settled_callbacks:
            self.loop.call_soon(callback)
        self._settled_callbacks.clear()
        if self.initial_metadata.value is None:
            self.initial_metadata.set(())
        self.status.set(status)
        self._on_settled(self)

    def _cancel_handler(self) -> None:
        assert self.task is not None, "a call without a task has been ended by the server"
        self.task.cancel()

    def _thaw_response(self, frame: Frame) -> Any:
        try:
            return thaw(
                frame,
                serializer=self.response_serializer,
                deserializer=self.response_deserializer,
            )
        except Exception as error:
            # Whatever a deserialiser raises: the synchronous gRPC stack answers in these words.
            raise _client_error("Exception deserializing response!") from error


def _client_error(details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details
    )


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
