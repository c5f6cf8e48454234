"""A gRPC channel to a server in the same event loop: no socket, no serialisation, same answers.

Gateways are written against generated stubs and a channel. Over this channel a call runs the very
handlers and interceptors of the network server, for less than a tenth of the cost.
`add_XServicer_to_server` takes an `InProcessServer`, a stub takes an `InProcessChannel`, and what
either observes is what grpc.aio would have shown it.

Theory of operation
- A call is an Exchange: two bounded streams of frames, initial metadata, a status. The client's
  call object (`calls`) and the server's context (`context`) are its two faces; `serving` runs the
  handler between them.
- One task per call, the handler's. Tasks are created by the call itself, so handlers start in the
  order in which calls were made, and the event loop wakes the waiting client directly. Only an
  iterator of requests needs a second task. Handlers run in the context variables of `start`, not in
  the caller's.
- Messages are copied when they are sent (`isolation`); metadata is checked and normalised
  (`metadata`).
- Each direction of a stream holds 16 messages at most, then the writer waits. (The network counts
  bytes, and lets a fast connection have megabytes under way.)
- A deadline is one timer of the event loop. It ends the call at the client and cancels the handler,
  as does `cancel`.

Deliberately left out
- Limits on message size, compression, keepalive, retries: there is no transport to protect or to
  mend. `compression` and `wait_for_ready` are accepted and have no effect; `channel_ready` waits.
- Client interceptors, and call credentials, which need a secure transport: refused, not ignored.
- Synchronous handlers: a thread per call would undo what this channel is for.

Where it differs from grpcio 1.85 on the network, knowingly
- A message is frozen by the call or `write` itself; grpc.aio serialises a unary request a moment
  later.
- Illegal metadata and messages that cannot be serialised raise when the call is made, not when it
  is awaited (grpc.aio sends an empty message in the second case). A response that cannot be parsed
  raises AioRpcError INTERNAL, where grpc.aio returns None.
- A second concurrent read or write of one stream raises UsageError; grpc.aio breaks the call or
  loses the read.
- grpc.aio leaves the client without an answer when a handler aborts with OK (here UNKNOWN, as in
  synchronous gRPC), raises CancelledError itself (here CANCELLED), sets text for a `-bin` trailer
  (here INTERNAL), or takes one request and gets none (here INTERNAL).
- A write after the server has ended a call whose responses are still unread is dropped; grpc.aio
  replaces the call's true status by INTERNAL. The details of a passed deadline are always "Deadline
  Exceeded", a server that is not running is UNAVAILABLE in other words, and `user-agent` says
  "(in-process)".
- A call with a stream of responses that is dropped is cancelled at once; grpc.aio means to, but
  rarely does.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import grpc
import grpc.aio

from tradewire_gateway.channel.calls import (
    MetadataLike,
    StreamStreamMethod,
    StreamUnaryMethod,
    UnaryStreamMethod,
    UnaryUnaryMethod,
)
from tradewire_gateway.channel.exchange import LOCALLY_CANCELLED, Exchange, Status
from tradewire_gateway.channel.isolation import Deserializer, Serializer, freeze
from tradewire_gateway.channel.metadata import Pairs, for_invocation
from tradewire_gateway.channel.serving import Handler, serve, serveable

STREAM_LENGTH_MAX: Final = 16

_STOPPING: Final = Status(grpc.StatusCode.UNAVAILABLE, "Cancelling all calls")
_NOT_RUNNING: Final = Status(grpc.StatusCode.UNAVAILABLE, "The in-process server is not running.")


@dataclass(slots=True)
class CallDetails:
    """What an interceptor is told about a call (`grpc.HandlerCallDetails`)."""

    method: str
    invocation_metadata: Pairs


@dataclass(frozen=True, slots=True)
class _Method:
    """What a stub says about one of its methods."""

    path: str
    request_serializer: Serializer | None
    response_deserializer: Deserializer | None
    unary_response: bool


class InProcessServer(grpc.aio.Server):
    """A server without ports, for the channels of its own event loop.

    It takes the handlers and the interceptors that a `grpc.aio.server` would be given.
    """

    def __init__(self, *, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()) -> None:
        self._interceptors = tuple(interceptors)
        self._registered: dict[str, Handler] = {}
        self._generic: list[grpc.GenericRpcHandler] = []
        self._active: dict[asyncio.Task[None], Exchange] = {}
        self._context: contextvars.Context | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._state_watchers: set[asyncio.Event] = set()

    @property
    def running(self) -> bool:
        """Whether calls are taken."""
        return self._loop is not None and not self._stopped.is_set()

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        """Serve the methods of one service.

        Raises:
            TypeError: a handler is synchronous.
        """
        self._require_not_started()
        for name, handler in method_handlers.items():
            method = f"/{service_name}/{name}"
            self._registered[method] = serveable(method, handler)

    def add_generic_rpc_handlers(
        self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]
    ) -> None:
        """Serve what these handlers know of the methods that are not registered by name."""
        self._require_not_started()
        self._generic.extend(generic_rpc_handlers)

    def add_insecure_port(self, address: str) -> int:
        raise grpc.aio.UsageError("An in-process server has no ports.")

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        raise grpc.aio.UsageError("An in-process server has no ports.")

    async def start(self) -> None:
        """Take calls from now on; handlers see the context variables of this moment."""
        self._require_not_started()
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self.notify_watchers()

    async def stop(self, grace: float | None) -> None:
        """Take no more calls, give those under way some seconds, cancel and await the rest."""
        self._stopped.set()
        self.notify_watchers()
        if grace:
            await self._wait_for_handlers(grace)
        for exchange in tuple(self._active.values()):
            exchange.revoke(_STOPPING)
        await self._wait_for_handlers(None)

    async def wait_for_termination(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - grpc.aio's signature
    ) -> bool:
        """Wait until the server is stopped; True says that the time ran out before."""
        try:
            async with asyncio.timeout(timeout):
                await self._stopped.wait()
        except TimeoutError:
            return True
        return False

    # For the channels

    def require_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Refuse a call from another thread's event loop, which would corrupt both."""
        if self._loop is not None and loop is not self._loop:
            raise grpc.aio.UsageError("An in-process call must be made in the loop of its server.")

    def dispatch(self, exchange: Exchange) -> None:
        """Start the handler of a call."""
        if not self.running:
            exchange.end(_NOT_RUNNING)
            return
        assert self._context is not None, "a running server has the context of its start"
        details = CallDetails(exchange.method, exchange.invocation_metadata)
        task = exchange.loop.create_task(
            serve(exchange, functools.partial(self._find_handler, details)),
            context=self._context.copy(),
        )
        exchange.task = task
        self._active[task] = exchange
        task.add_done_callback(self._active.pop)

    async def state_change(self) -> None:
        """Wait until the server starts or stops, or one of its channels closes."""
        event = asyncio.Event()
        self._state_watchers.add(event)
        try:
            await event.wait()
        finally:
            self._state_watchers.discard(event)

    def notify_watchers(self) -> None:
        """Wake who waits for a change of state."""
        for event in self._state_watchers:
            event.set()

    def _find_handler(self, details: CallDetails) -> Any:
        return self._intercept(0, details)

    async def _intercept(self, position: int, details: Any) -> Handler | None:
        """Ask the interceptors from this position on; after the last, look the handler up."""
        if position == len(self._interceptors):
            return self._look_up(details)
        continuation = functools.partial(self._intercept, position + 1)
        return await self._interceptors[position].intercept_service(continuation, details)

    def _look_up(self, details: Any) -> Handler | None:
        handler = self._registered.get(details.method)
        if handler is not None:
            return handler
        for generic in self._generic:
            handler = generic.service(details)
            if handler is not None:
                return handler
        return None

    async def _wait_for_handlers(self, grace: float | None) -> None:
        # A handler may be the one who stops the server.
        others = self._active.keys() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=grace)

    def _require_not_started(self) -> None:
        if self._loop is not None:
            raise grpc.aio.UsageError("The server has been started.")


class InProcessChannel(grpc.aio.Channel):
    """A channel to a server in the same event loop.

    The name tells handlers who calls: their `context.peer()` is "inproc:" and the name.
    """

    def __init__(
        self,
        server: InProcessServer,
        *,
        name: str = "local",
        stream_length_max: int = STREAM_LENGTH_MAX,
    ) -> None:
        if stream_length_max < 1:
            raise ValueError(f"stream_length_max must be at least 1, got {stream_length_max}")
        self._server = server
        self._peer = f"inproc:{name}"
        self._stream_length_max = stream_length_max
        self._active: set[Exchange] = set()
        self._closed = False

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryUnaryMethod:
        target = _Method(method, request_serializer, response_deserializer, unary_response=True)
        return UnaryUnaryMethod(functools.partial(self._open_with_request, target))

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryStreamMethod:
        target = _Method(method, request_serializer, response_deserializer, unary_response=False)
        return UnaryStreamMethod(functools.partial(self._open_with_request, target))

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> StreamUnaryMethod:
        target = _Method(method, request_serializer, response_deserializer, unary_response=True)
        return StreamUnaryMethod(functools.partial(self._open, target))

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = False,
    ) -> StreamStreamMethod:
        target = _Method(method, request_serializer, response_deserializer, unary_response=False)
        return StreamStreamMethod(functools.partial(self._open, target))

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        if self._closed:
            return grpc.ChannelConnectivity.SHUTDOWN
        if self._server.running:
            return grpc.ChannelConnectivity.READY
        return grpc.ChannelConnectivity.IDLE

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        while self.get_state() is last_observed_state:
            await self._server.state_change()

    async def channel_ready(self) -> None:
        while self.get_state() is not grpc.ChannelConnectivity.READY:
            if self._closed:
                raise _channel_closed()
            await self._server.state_change()

    async def close(self, grace: float | None = None) -> None:
        """Take no more calls, give those under way some seconds, cancel the rest."""
        self._closed = True
        self._server.notify_watchers()
        if grace and self._active:
            ends = [asyncio.create_task(exchange.status.wait()) for exchange in self._active]
            _, pending = await asyncio.wait(ends, timeout=grace)
            for end in pending:
                end.cancel()
        for exchange in tuple(self._active):
            exchange.abandon(LOCALLY_CANCELLED, locally=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        await self.close()

    def _open_with_request(
        self,
        target: _Method,
        *,
        request: Any = None,
        timeout: float | None,
        metadata: MetadataLike | None,
        credentials: grpc.CallCredentials | None,
    ) -> Exchange:
        frame = freeze(request, target.request_serializer)
        exchange = self._open(target, timeout=timeout, metadata=metadata, credentials=credentials)
        exchange.requests.put_nowait(frame)
        exchange.requests.close()
        return exchange

    def _open(
        self,
        target: _Method,
        *,
        request: Any = None,
        timeout: float | None,
        metadata: MetadataLike | None,
        credentials: grpc.CallCredentials | None,
    ) -> Exchange:
        if self._closed:
            raise _channel_closed()
        if credentials is not None:
            raise grpc.aio.UsageError("Call credentials are only valid on secure channels")
        loop = asyncio.get_running_loop()
        self._server.require_loop(loop)
        exchange = Exchange(
            loop=loop,
            method=target.path,
            peer=self._peer,
            invocation_metadata=for_invocation(metadata),
            timeout=timeout,
            request_serializer=target.request_serializer,
            response_deserializer=target.response_deserializer,
            unary_response=target.unary_response,
            stream_length_max=self._stream_length_max,
            on_settled=self._active.discard,
        )
        self._active.add(exchange)
        self._server.dispatch(exchange)
        return exchange


def _channel_closed() -> grpc.aio.UsageError:
    return grpc.aio.UsageError("Channel is closed.")
