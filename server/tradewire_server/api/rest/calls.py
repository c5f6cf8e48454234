"""Calls over HTTP/1.1: how Envoy brings what it made of REST requests.

Theory of operation. It is gRPC one level below: POST of the method's path, one length-prefixed
message as the body, the answer the same way, the status in trailers, which HTTP/1.1 has too. Envoy
speaks it to a cluster with `enable_trailers`. What is called are the same servicers behind the same
edge as everywhere.

Why: a call through grpc.aio costs this process 0.6 ms, nearly all of it in HTTP/2 and in handing
over between threads; through here it costs a fifth of that, on the event loop alone.

Rules:

- Only unary methods; streams, and gRPC as clients speak it, come to the other listener.
- Only Envoy connects, over a unix socket that belongs to this user, and every call has the handle
  of its check.
- One call at a time on a connection, as HTTP/1.1 has it.
- A connection that is lost cancels its call, as a reset of its stream would. What was queued is not
  withdrawn.
- An error has no body: then headers are trailers, which is gRPC's `Trailers-Only`.
"""

import asyncio
import base64
import logging
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import grpc
import grpc.aio
from grpc_status import rpc_status
from tradewire_contract import methods

from tradewire_server.api.edge import Edge, Handler
from tradewire_server.api.errors import ApiError, make_error
from tradewire_server.api.rest.connection import BACKLOG, HttpConnection
from tradewire_server.api.rest.request import RawRequest
from tradewire_server.engine.vocabulary import Reason

logger = logging.getLogger("tradewire.calls")

Metadata = Sequence[tuple[str, str | bytes]]

MESSAGE_MAX = 4 << 20
_PREFIX = struct.Struct(">BI")
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])", re.ASCII)
_UNITS_S = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
# Printable ASCII without the percent sign: what gRPC leaves as it is in a message.
_MESSAGE_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class CallListener:
    """Serves the unary methods of some services until it is closed."""

    def __init__(self, edge: Edge, add_services: Callable[[grpc.aio.Server], None]) -> None:
        """Let `add_services` add what it would add to a server of gRPC."""
        collected = _Collected()
        add_services(cast(grpc.aio.Server, collected))
        self._edge = edge
        self._bare = collected.handlers
        self._handlers: dict[str, Handler] = {}
        self._connections: set[HttpConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve on a unix socket, which is bound."""
        for path, handler in self._bare.items():
            method = methods().get(path)
            if method is not None and not method.server_streaming:
                self._handlers[path] = await self._wrapped(path, handler)
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Connection(self), sock=listener, backlog=BACKLOG
        )

    async def _wrapped(self, path: str, handler: Handler) -> Handler:
        async def find(details: grpc.HandlerCallDetails) -> Handler:
            return handler

        details = cast(grpc.HandlerCallDetails, SimpleNamespace(method=path))
        wrapped = await self._edge.intercept_service(find, details)
        assert wrapped is not None, "the edge answers for every method"
        return wrapped

    async def close(self, grace_s: float) -> None:
        """Take no more calls, wait for those under way, and cancel what is left."""
        if self._server is None:
            return
        self._server.close()
        if self._tasks and grace_s:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        for connection in tuple(self._connections):
            connection.close()
        await self._server.wait_closed()

    def begin(self, request: RawRequest, connection: "_Connection") -> "asyncio.Task[None]":
        """Serve a call; the task ends when it is answered."""
        task = asyncio.get_running_loop().create_task(self._serve(request, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def connections(self) -> set[HttpConnection]:
        """The open connections."""
        return self._connections

    async def _serve(self, request: RawRequest, connection: "_Connection") -> None:
        context = CallContext(request.headers)
        try:
            handler = self._handlers.get(request.target)
            if handler is None or request.method != "POST":
                raise make_error(Reason.METHOD_NOT_FOUND, "there is no such call here")
            message = _message(request.body)
            if message is None:
                raise make_error(Reason.MESSAGE_MALFORMED, "the body is not one whole message")
            # The edge wraps both: what cannot be parsed, and what is serialised already.
            behavior = cast(Callable[[object, CallContext], Awaitable[object]], handler.unary_unary)
            deserialize = cast(Callable[[bytes], object], handler.request_deserializer)
            serialize = cast(Callable[[object], bytes], handler.response_serializer)
            answer = serialize(await behavior(deserialize(message), context))
        except grpc.aio.AbortError:
            connection.respond(_failure(context))
        except ApiError as error:
            context.set_status(rpc_status.to_status(error.status))
            connection.respond(_failure(context))
        except Exception:
            logger.exception("%s was not answered", request.target)
            connection.close()
        else:
            connection.respond(_success(context, answer))


class CallContext:
    """What the edge and the servicers of unary calls use of gRPC's context."""

    def __init__(self, headers: Mapping[str, str] | Sequence[tuple[str, str]]) -> None:
        self._metadata = tuple(headers.items() if isinstance(headers, Mapping) else headers)
        self._ends_at = _ends_at(self._metadata)
        self.initial_metadata: Metadata = ()
        self.trailing_metadata: Metadata = ()
        self.code = grpc.StatusCode.OK
        self.details = ""

    def invocation_metadata(self) -> Metadata:
        """Return the headers of the call."""
        return self._metadata

    def peer(self) -> str:
        """Return who calls, as gRPC says it of a unix socket."""
        return "unix:"

    def time_remaining(self) -> float | None:
        """Return the seconds to the deadline, None without one."""
        return None if self._ends_at is None else max(self._ends_at - time.monotonic(), 0.0)

    async def send_initial_metadata(self, metadata: Metadata) -> None:
        """Keep what goes before the answer."""
        self.initial_metadata = tuple(metadata)

    def set_status(self, status: grpc.Status) -> None:
        """Keep what the call ends with."""
        self.code, self.details = status.code, status.details or ""
        self.trailing_metadata = tuple(status.trailing_metadata or ())

    async def abort_with_status(self, status: grpc.Status) -> None:
        """End the call with an error.

        Raises grpc.aio.AbortError.
        """
        self.set_status(status)
        raise grpc.aio.AbortError("the call was aborted")


class _Connection(HttpConnection):
    """A connection of Envoy's and the call on it."""

    def __init__(self, listener: CallListener) -> None:
        super().__init__(listener.connections, body_max=MESSAGE_MAX + _PREFIX.size)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    def received(self, request: RawRequest) -> None:
        if self._task is not None and not self._task.done():
            # Envoy never does; answers could overtake each other.
            self.close()
            return
        self._task = self._listener.begin(request, self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._task is not None:
            self._task.cancel()


class _Collected:
    """Takes the place of a server where services are added, and keeps their handlers."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        self.handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Do nothing: these are the same once more."""


def _message(body: bytes) -> bytes | None:
    """Return the message of a body, None if the body is not one whole message."""
    if len(body) < _PREFIX.size:
        return None
    compressed, size = _PREFIX.unpack_from(body)
    whole = not compressed and size <= MESSAGE_MAX and len(body) == _PREFIX.size + size
    return body[_PREFIX.size :] if whole else None


def _ends_at(metadata: Metadata) -> float | None:
    """Return when the call is over, on the monotonic clock."""
    for name, value in metadata:
        if name == "grpc-timeout" and isinstance(value, str):
            match = _TIMEOUT.fullmatch(value)
            if match is not None:
                return time.monotonic() + int(match[1]) * _UNITS_S[match[2]]
    return None


def _success(context: CallContext, message: bytes) -> bytes:
    head = (
        "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n"
        f"{_lines(context.initial_metadata)}\r\n{_PREFIX.size + len(message):x}\r\n"
    )
    return (
        head.encode("latin-1")
        + _PREFIX.pack(0, len(message))
        + message
        + b"\r\n0\r\ngrpc-status: 0\r\n\r\n"
    )


def _failure(context: CallContext) -> bytes:
    message = quote(context.details, safe=_MESSAGE_SAFE)
    head = (
        "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n"
        f"grpc-status: {context.code.value[0]}\r\ngrpc-message: {message}\r\n"
        f"{_lines(context.initial_metadata)}{_lines(context.trailing_metadata)}\r\n"
    )
    return head.encode("latin-1")


def _lines(metadata: Metadata) -> str:
    return "".join(f"{name}: {_text(value)}\r\n" for name, value in metadata)


def _text(value: str | bytes) -> str:
    """Return a value as a header has it: bytes as base64 without padding."""
    if isinstance(value, str):
        return value
    return base64.b64encode(value).decode("ascii").rstrip("=")
