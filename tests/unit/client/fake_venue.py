"""A venue made of scripts: a real gRPC server whose methods do what a test says.

Every method of the contract is served. A test gives a handler per method name: a function of the
request and the context that returns a response or raises a `Fault`, or for streams an asynchronous
generator. Signing in works without a script. What came in is kept in `calls`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Self

import grpc
import grpc.aio
from google.protobuf import any_pb2, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from tradewire.v1 import options_pb2, order_pb2, order_service_pb2, session_service_pb2, stream_pb2
from tradewire_client import Client, Ed25519Key, RetryPolicy, StreamPolicy, World
from tradewire_contract import ReasonEntry, methods, reasons

JOURNAL = "journal-1"
ENVIRONMENT = "sandbox"
KEY = Ed25519Key.from_seed("tw_test", bytes(range(32)))

Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[..., Any]

_NONE: Mapping[str, str] = {}


class Fault(Exception):
    """A call, or a command, fails with this status."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


def entry_of(name: str) -> ReasonEntry:
    """Return the catalogue's entry of a reason."""
    return next(entry for entry in reasons().values() if entry.name == name)


def status_of(
    name: str, text: str = "for a test", *, fields: Mapping[str, str] = _NONE, **metadata: str
) -> status_pb2.Status:
    """Return the status that a venue makes of a reason of the catalogue."""
    entry = entry_of(name)
    known = {
        "outcome": entry.outcome,
        "retryable": "true" if entry.retryable else "false",
        "advice": entry.advice,
    }
    info = error_details_pb2.ErrorInfo(
        reason=name, domain="tradewire", metadata={**metadata, **known}
    )
    status = status_pb2.Status(code=entry.code, message=f"{name}: {text}")
    _pack(status, info)
    if fields:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
            for field, description in fields.items()
        ]
        _pack(status, error_details_pb2.BadRequest(field_violations=violations))
    return status


def fault(name: str, text: str = "for a test", **metadata: str) -> Fault:
    """Return the failure of a call with a reason of the catalogue."""
    return Fault(status_of(name, text, fields={}, **metadata))


def bare_fault(code: grpc.StatusCode) -> Fault:
    """Return the failure of a call without details, as gRPC itself or a proxy would make it."""
    return Fault(status_pb2.Status(code=code.value[0], message="bare"))


def _pack(status: status_pb2.Status, detail: Message) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


class FakeVenue:
    """The server. Use it with `async with`."""

    def __init__(self, port: int = 0) -> None:
        self.handlers: dict[str, Handler] = {
            "CreateSession": self._create_session,
            "GetServerTime": self._server_time,
            "EndSession": lambda request, context: session_service_pb2.EndSessionResponse(),
        }
        self.calls: list[tuple[str, Any]] = []
        self.authorizations: list[str] = []
        self.tokens_made = 0
        self.token_life_s = 900.0
        self.clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
        self._port = port
        self._server: grpc.aio.Server | None = None

    @property
    def target(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._port}"

    def on(self, **handlers: Handler) -> Self:
        """Script methods by name."""
        self.handlers.update(handlers)
        return self

    def requests(self, name: str) -> list[Any]:
        """Return the requests of a method that came in; of a stream, its messages."""
        return [request for method, request in self.calls if method == name]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        by_service: dict[str, dict[str, Any]] = {}
        for method in methods().values():
            service = by_service.setdefault(method.path.split("/")[1], {})
            service[method.name] = self._handler(method)
        for service_name, handlers in by_service.items():
            generic = grpc.method_handlers_generic_handler(service_name, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self._port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        await self._server.start()

    async def stop(self) -> None:
        """Cut every connection."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(None)

    def client(self, **options: Any) -> Client:
        """Return a client of it, which retries at once unless told otherwise."""
        return Client(self.target, **{**quick_options(), **options})

    def _handler(self, method: Any) -> Any:
        parse = message_factory.GetMessageClass(method.request).FromString

        def serialize(response: Message | bytes) -> bytes:
            return response if isinstance(response, bytes) else response.SerializeToString()

        if not method.server_streaming:
            return grpc.unary_unary_rpc_method_handler(self._unary(method.name), parse, serialize)
        if method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(
                self._stream(method.name, both=True), parse, serialize
            )
        return grpc.unary_stream_rpc_method_handler(
            self._stream(method.name, both=False), parse, serialize
        )

    def _unary(self, name: str) -> Callable[[Any, Context], Awaitable[Any]]:
        async def serve(request: Any, context: Context) -> Any:
            self._note(name, request, context)
            try:
                result = self.handlers[name](request, context)
                return await result if asyncio.iscoroutine(result) else result
            except Fault as error:
                await context.abort_with_status(rpc_status.to_status(error.status))

        return serve

    def _stream(self, name: str, *, both: bool) -> Callable[[Any, Context], AsyncIterator[Any]]:
        async def serve(request: Any, context: Context) -> AsyncIterator[Any]:
            if both:
                request = self._noted(name, request, context)
            else:
                self._note(name, request, context)
            try:
                async for message in self.handlers[name](request, context):
                    if isinstance(message, Fault):
                        raise message
                    yield message
            except Fault as error:
                await context.abort_with_status(rpc_status.to_status(error.status))

        return serve

    async def _noted(
        self, name: str, requests: AsyncIterator[Any], context: Context
    ) -> AsyncIterator[Any]:
        async for request in requests:
            self._note(name, request, context)
            yield request

    def _note(self, name: str, request: Any, context: Context) -> None:
        self.calls.append((name, request))
        metadata = dict(context.invocation_metadata() or ())
        self.authorizations.append(str(metadata.get("authorization", "")))

    def _create_session(self, request: Any, context: Context) -> Message:
        self.tokens_made += 1
        response = session_service_pb2.CreateSessionResponse(
            token=f"token-{self.tokens_made}",
            account="demo-1",
            scopes=[options_pb2.SCOPE_READ, options_pb2.SCOPE_TRADE],
            environment=ENVIRONMENT,
        )
        response.expire_time.FromNanoseconds(
            int(self.clock_ms() * 1_000_000 + self.token_life_s * 1e9)
        )
        return response

    def _server_time(self, request: Any, context: Context) -> Message:
        response = session_service_pb2.GetServerTimeResponse(
            time_ms=self.clock_ms(), environment=ENVIRONMENT
        )
        response.time.FromMilliseconds(self.clock_ms())
        return response


def quick_options() -> dict[str, Any]:
    """Return options of a client that does not wait between attempts."""
    return {
        "key": KEY,
        "environment": ENVIRONMENT,
        "retry": RetryPolicy(initial_backoff=0.001, maximum_backoff=0.01),
        "streams": StreamPolicy(initial_backoff=0.001, maximum_backoff=0.02),
    }


def execution(sequence: int, *, client_order_id: str = "", **fields: Any) -> order_pb2.Execution:
    """Return an execution of some order."""
    message = order_pb2.Execution(
        sequence=sequence,
        execution_id=str(sequence),
        type=order_pb2.EXECUTION_TYPE_NEW,
        order=order(client_order_id=client_order_id or f"c{sequence}", order_id=str(sequence)),
        **fields,
    )
    message.transact_time.FromNanoseconds(1_760_000_000_123_456_789)
    return message


def order(**fields: Any) -> order_pb2.Order:
    """Return an order."""
    defaults: dict[str, Any] = {
        "order_id": "1",
        "client_order_id": "c1",
        "account": "demo-1",
        "symbol": "BTC-USD",
        "side": order_pb2.SIDE_BUY,
        "type": order_pb2.ORDER_TYPE_LIMIT,
        "time_in_force": order_pb2.TIME_IN_FORCE_GTC,
        "quantity": "0.5",
        "price": "100.25",
        "status": order_pb2.ORDER_STATUS_NEW,
        "filled_quantity": "0",
        "leaves_quantity": "0.5",
        "average_price": "0",
        "fee": "0",
    }
    return order_pb2.Order(**{**defaults, **fields})


def place_response(request: Any, context: Any) -> order_service_pb2.PlaceOrderResponse:
    """Answer PlaceOrder."""
    return order_service_pb2.PlaceOrderResponse(
        order=order(client_order_id=request.client_order_id), as_of_sequence=1
    )


def caught_up(as_of: int, journal_id: str = JOURNAL) -> stream_pb2.CaughtUp:
    """Return the end of a replay."""
    return stream_pb2.CaughtUp(as_of_sequence=as_of, journal_id=journal_id)


def script(*steps: Any) -> Handler:
    """Return a handler that does one step per call: raises it, returns it, or calls it."""
    remaining: Iterator[Any] = iter(steps)

    def handle(request: Any, context: Any) -> Any:
        step = next(remaining)
        if isinstance(step, Exception):
            raise step
        return step(request, context) if callable(step) else step

    return handle


class FakeTime:
    """A clock that only sleeping moves, and a die that always shows the same."""

    def __init__(self, *, wall_ms: int = 1_760_000_000_000, random: float = 1.0) -> None:
        self.now = 1000.0
        self.wall_ms = wall_ms
        self.sleeps: list[float] = []
        self._random = random
        self._ids = 0

    def world(self) -> World:
        """Return it as the client takes it."""
        return World(
            wall_ms=lambda: self.wall_ms,
            monotonic=lambda: self.now,
            sleep=self.sleep,
            random=lambda: self._random,
            nonce=lambda: "0123456789abcdef",
            client_order_id=self._client_order_id,
        )

    async def sleep(self, seconds: float) -> None:
        """Pass the time."""
        self.sleeps.append(round(seconds, 6))
        self.pass_time(seconds)
        await asyncio.sleep(0)

    def pass_time(self, seconds: float) -> None:
        """Move the clocks."""
        self.now += seconds
        self.wall_ms += round(seconds * 1000)

    def _client_order_id(self) -> str:
        self._ids += 1
        return f"made-{self._ids}"
