"""What a stub and a servicer observe must not depend on the channel: one suite, run over both.

Both ends live in one event loop, so tests wait for events of the other end and never for time.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import BytesValue, Int32Value, StringValue
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from tradewire_gateway.channel import InProcessChannel, InProcessServer

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Metadata = tuple[tuple[str, str | bytes], ...]
Outcome = tuple[Any, ...]

SERVICE = "test.Echo"
CODEC: dict[str, Any] = {
    "request_deserializer": StringValue.FromString,
    "response_serializer": StringValue.SerializeToString,
}
OK = grpc.StatusCode.OK


def text(value: str) -> StringValue:
    return StringValue(value=value)


def unary(behaviour: Any) -> Handler:
    return grpc.unary_unary_rpc_method_handler(behaviour, **CODEC)


def responses(behaviour: Any) -> Handler:
    return grpc.unary_stream_rpc_method_handler(behaviour, **CODEC)


def requests(behaviour: Any) -> Handler:
    return grpc.stream_unary_rpc_method_handler(behaviour, **CODEC)


def both(behaviour: Any) -> Handler:
    return grpc.stream_stream_rpc_method_handler(behaviour, **CODEC)


class Stub:
    """The four kinds of method, each under the name of its kind."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        codec: dict[str, Any] = {
            "request_serializer": StringValue.SerializeToString,
            "response_deserializer": StringValue.FromString,
            "_registered_method": True,
        }
        self.channel = channel
        self.unary: Any = channel.unary_unary(f"/{SERVICE}/Unary", **codec)
        self.responses: Any = channel.unary_stream(f"/{SERVICE}/Responses", **codec)
        self.requests: Any = channel.stream_unary(f"/{SERVICE}/Requests", **codec)
        self.both: Any = channel.stream_stream(f"/{SERVICE}/Both", **codec)


class Peers:
    """Starts a server with some handlers and connects a stub to it."""

    def __init__(self, kind: str, stack: AsyncExitStack) -> None:
        self.kind = kind
        self.server: grpc.aio.Server | None = None
        self._stack = stack

    async def connect(
        self, *handlers: Handler, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()
    ) -> Stub:
        methods = {_method_name(handler): handler for handler in handlers}
        if self.kind == "in_process":
            return await self._connect_in_process(methods, interceptors)
        return await self._connect_over_network(methods, interceptors)

    async def _connect_in_process(
        self, methods: Mapping[str, Handler], interceptors: Sequence[grpc.aio.ServerInterceptor]
    ) -> Stub:
        server = InProcessServer(interceptors=interceptors)
        await self._start(server, methods)
        return Stub(await self._stack.enter_async_context(InProcessChannel(server)))

    async def _connect_over_network(
        self, methods: Mapping[str, Handler], interceptors: Sequence[grpc.aio.ServerInterceptor]
    ) -> Stub:
        server = grpc.aio.server(
            interceptors=list(interceptors), options=[("grpc.so_reuseport", 0)]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await self._start(server, methods)
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        return Stub(await self._stack.enter_async_context(channel))

    async def _start(self, server: grpc.aio.Server, methods: Mapping[str, Handler]) -> None:
        server.add_registered_method_handlers(SERVICE, methods)
        await server.start()
        self.server = server
        self._stack.push_async_callback(server.stop, None)


def _method_name(handler: Handler) -> str:
    if handler.request_streaming:
        return "Both" if handler.response_streaming else "Requests"
    return "Responses" if handler.response_streaming else "Unary"


@pytest.fixture(params=["network", "in_process"])
async def peers(request: pytest.FixtureRequest) -> AsyncIterator[Peers]:
    # What handlers raise on purpose is logged by both servers, with tracebacks.
    logging.disable(logging.ERROR)
    async with AsyncExitStack() as stack:
        yield Peers(request.param, stack)
    logging.disable(logging.NOTSET)


async def outcome(awaitable: Awaitable[Any]) -> Outcome:
    """Return all that a client can tell about how something ended."""
    try:
        value = await awaitable
    except grpc.aio.AioRpcError as error:
        initial = tuple(error.initial_metadata())
        return error.code(), error.details(), initial, tuple(error.trailing_metadata())
    except asyncio.CancelledError:
        return ("CancelledError",)
    return ("EOF",) if value is grpc.aio.EOF else (value.value,)


async def collect(call: Any) -> list[Any]:
    """Return the values of all responses, then the status unless it is OK."""
    received: list[Any] = []
    try:
        async for response in call:
            received.append(response.value)  # noqa: PERF401 - what came before an error counts
    except grpc.aio.AioRpcError as error:
        received.append((error.code(), error.details()))
    return received


def own(metadata: Any) -> Metadata:
    """Return what the test itself has sent of a call's metadata."""
    return tuple((key, value) for key, value in metadata if key != "user-agent")


def when_done(context: Any, callback: Callable[[Any], object]) -> None:
    # Typed loosely, because the stubs demand a parameter named `ctx` and nothing else.
    context.add_done_callback(callback)


# The four kinds


async def test_unary_call_carries_message_metadata_and_status_both_ways(peers: Peers) -> None:
    seen: list[Any] = []

    async def handler(request: StringValue, context: Context) -> StringValue:
        metadata: Any = context.invocation_metadata()
        seen.append((request.value, own(metadata), metadata[0].key, metadata[-1].value))
        await context.send_initial_metadata((("first", "1"), ("raw-bin", b"\x00\xff")))
        context.set_trailing_metadata((("last", "2"), ("raw-bin", b"\xfe")))
        context.set_details("not sent with OK")
        return text("reply")

    stub = await peers.connect(unary(handler))
    call = stub.unary(text("hello"), metadata=(("k", "v"), ("k", "w"), ("x-bin", b"\x01\xff")))

    assert (await call).value == "reply"
    assert (await call).value == "reply"
    assert seen == [
        ("hello", (("k", "v"), ("k", "w"), ("x-bin", b"\x01\xff")), "user-agent", b"\x01\xff")
    ]
    assert tuple(await call.initial_metadata()) == (("first", "1"), ("raw-bin", b"\x00\xff"))
    assert tuple(await call.trailing_metadata()) == (("last", "2"), ("raw-bin", b"\xfe"))
    assert (await call.code(), await call.details()) == (OK, "")
    assert (call.done(), call.cancelled(), call.cancel()) == (True, False, False)
    assert call.time_remaining() is None
    await call.wait_for_connection()


async def test_responses_are_streamed_by_generator(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        for number in range(int(request.value)):
            yield text(str(number))
        context.set_trailing_metadata((("count", request.value),))

    stub = await peers.connect(responses(handler))
    call = stub.responses(text("100"))
    assert await collect(call) == [str(number) for number in range(100)]
    assert (await call.code(), tuple(await call.trailing_metadata())) == (OK, (("count", "100"),))
    assert await collect(stub.responses(text("0"))) == []


async def test_responses_are_streamed_by_context_write(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> None:
        await context.write(text("a"))
        await context.write(text("b"))

    stub = await peers.connect(responses(handler))
    call = stub.responses(text(""))
    await call.wait_for_connection()
    read = [await outcome(call.read()) for _ in range(4)]
    assert read == [("a",), ("b",), ("EOF",), ("EOF",)]
    assert await call.code() is OK


@pytest.mark.parametrize("style", ["async iterator", "list", "write"])
async def test_requests_are_streamed(peers: Peers, style: str) -> None:
    async def handler(
        request_iterator: AsyncIterator[StringValue], context: Context
    ) -> StringValue:
        return text("+".join([request.value async for request in request_iterator]))

    async def generate() -> AsyncIterator[StringValue]:
        for value in "abc":
            yield text(value)

    stub = await peers.connect(requests(handler))
    if style == "write":
        call = stub.requests()
        for value in "abc":
            await call.write(text(value))
        await call.done_writing()
        await call.done_writing()
    else:
        call = stub.requests(generate() if style == "async iterator" else map(text, "abc"))
    assert await outcome(call) == ("a+b+c",)


async def test_requests_are_read_from_the_context_to_the_end(peers: Peers) -> None:
    async def handler(request_iterator: Any, context: Context) -> StringValue:
        read = [await context.read() for _ in range(4)]
        return text(repr([message.value if message else "EOF" for message in read]))

    stub = await peers.connect(requests(handler))
    assert await outcome(stub.requests(map(text, "ab"))) == ("['a', 'b', 'EOF', 'EOF']",)


async def test_both_directions_are_independent(peers: Peers) -> None:
    async def handler(
        request_iterator: AsyncIterator[StringValue], context: Context
    ) -> AsyncIterator[StringValue]:
        yield text("welcome")
        async for request in request_iterator:
            yield text(request.value.upper())
        yield text("bye")

    stub = await peers.connect(both(handler))
    call = stub.both()
    assert await outcome(call.read()) == ("welcome",)
    for value in ("a", "b"):
        await call.write(text(value))
        assert await outcome(call.read()) == (value.upper(),)
    await call.done_writing()
    assert [await outcome(call.read()) for _ in range(3)] == [("bye",), ("EOF",), ("EOF",)]
    assert await call.code() is OK


async def test_both_directions_by_iterator_and_reader_api(peers: Peers) -> None:
    async def handler(request_iterator: Any, context: Context) -> None:
        while (message := await context.read()) is not grpc.aio.EOF:
            await context.write(text(message.value * 2))

    stub = await peers.connect(both(handler))
    assert await collect(stub.both(map(text, "abc"))) == ["aa", "bb", "cc"]


# How a call ends


async def test_abort_ends_the_call_with_code_details_and_metadata(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        await context.send_initial_metadata((("first", "1"),))
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such order", (("reason", "gone"),))

    stub = await peers.connect(unary(handler))
    call = stub.unary(text(""))
    assert await outcome(call) == (
        grpc.StatusCode.NOT_FOUND,
        "no such order",
        (("first", "1"),),
        (("reason", "gone"),),
    )
    assert await call.code() is grpc.StatusCode.NOT_FOUND


async def test_abort_takes_what_was_set_where_it_is_given_nothing(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        context.set_details("set before")
        context.set_trailing_metadata((("set", "before"),))
        await context.abort(grpc.StatusCode.ABORTED)

    stub = await peers.connect(unary(handler))
    assert await outcome(stub.unary(text(""))) == (
        grpc.StatusCode.ABORTED,
        "set before",
        (),
        (("set", "before"),),
    )


async def test_rich_status_reaches_the_client(peers: Peers) -> None:
    detail = AnyMessage()
    detail.Pack(error_details_pb2.ErrorInfo(reason="PRICE_OFF_TICK", domain="tradewire"))
    status = status_pb2.Status(
        code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="off tick", details=[detail]
    )

    async def handler(request: StringValue, context: Context) -> StringValue:
        await context.abort_with_status(rpc_status.to_status(status))

    stub = await peers.connect(unary(handler))
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.unary(text(""))
    error: Any = raised.value
    assert rpc_status.from_call(error) == status


async def test_a_swallowed_abort_stays_an_abort(peers: Peers) -> None:
    seen: list[Any] = []

    async def handler(request: StringValue, context: Context) -> StringValue:
        for _ in range(2):
            try:
                await context.abort(grpc.StatusCode.ABORTED, "first")
            except (grpc.aio.AbortError, grpc.aio.UsageError) as error:
                seen.append((type(error), str(error)))
        return text("ignored")

    stub = await peers.connect(unary(handler))
    assert (await outcome(stub.unary(text(""))))[:2] == (grpc.StatusCode.ABORTED, "first")
    assert seen == [
        (grpc.aio.AbortError, "Locally aborted."),
        (grpc.aio.UsageError, "Abort already called!"),
    ]


async def test_set_code_discards_the_response(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        context.set_code(grpc.StatusCode.NOT_FOUND)
        context.set_details("nothing here")
        assert (context.code(), context.details()) == (grpc.StatusCode.NOT_FOUND, "nothing here")
        return text("ignored")

    stub = await peers.connect(unary(handler))
    assert (await outcome(stub.unary(text(""))))[:2] == (
        grpc.StatusCode.NOT_FOUND,
        "nothing here",
    )


async def test_an_exception_of_the_handler_is_unknown(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        context.set_trailing_metadata((("kept", "yes"),))
        raise ValueError("boom")

    stub = await peers.connect(unary(handler))
    assert await outcome(stub.unary(text(""))) == (
        grpc.StatusCode.UNKNOWN,
        "Unexpected <class 'ValueError'>: boom",
        (),
        (("kept", "yes"),),
    )


async def test_an_exception_keeps_a_code_that_was_set(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        context.set_code(grpc.StatusCode.DATA_LOSS)
        raise ValueError("boom")

    stub = await peers.connect(unary(handler))
    assert (await outcome(stub.unary(text(""))))[:2] == (
        grpc.StatusCode.DATA_LOSS,
        "Unexpected <class 'ValueError'>: boom",
    )


async def test_no_response_is_unknown(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> None:
        return None

    stub = await peers.connect(unary(handler))
    code, details, *_ = await outcome(stub.unary(text("")))
    assert code is grpc.StatusCode.UNKNOWN
    assert details.startswith("Unexpected <class 'TypeError'>: ")


async def test_a_missing_method_is_unimplemented(peers: Peers) -> None:
    stub = await peers.connect()
    not_found = (grpc.StatusCode.UNIMPLEMENTED, "Method not found!", (), ())
    assert await outcome(stub.unary(text(""))) == not_found
    assert await outcome(stub.responses(text("")).read()) == not_found
    assert await outcome(stub.requests(map(text, "ab"))) == not_found
    assert await outcome(stub.both().read()) == not_found


@pytest.mark.parametrize("end", ["abort", "raise"])
async def test_an_error_after_the_first_message_follows_it(peers: Peers, end: str) -> None:
    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        yield text("first")
        if end == "abort":
            await context.abort(grpc.StatusCode.ABORTED, "midway")
        raise ValueError("midway")

    expected = {
        "abort": (grpc.StatusCode.ABORTED, "midway"),
        "raise": (grpc.StatusCode.UNKNOWN, "Unexpected <class 'ValueError'>: midway"),
    }[end]
    stub = await peers.connect(responses(handler))
    assert await collect(stub.responses(text(""))) == ["first", expected]
    call = stub.responses(text(""))
    assert await outcome(call.read()) == ("first",)
    assert [(await outcome(call.read()))[:2] for _ in range(2)] == [expected, expected]


async def test_the_status_is_seen_after_the_last_response(peers: Peers) -> None:
    done = asyncio.Event()

    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        when_done(context, lambda ctx: done.set())
        yield text("a")
        yield text("b")

    stub = await peers.connect(responses(handler))
    call = stub.responses(text(""))
    await done.wait()
    assert not call.done()
    assert await collect(call) == ["a", "b"]
    assert call.done()


async def test_the_server_ends_a_bidirectional_call_early(peers: Peers) -> None:
    async def handler(
        request_iterator: AsyncIterator[StringValue], context: Context
    ) -> AsyncIterator[StringValue]:
        async for request in request_iterator:
            yield text(request.value)
            if request.value == "stop":
                return

    stub = await peers.connect(both(handler))
    call = stub.both()
    await call.write(text("stop"))
    assert [await outcome(call.read()) for _ in range(2)] == [("stop",), ("EOF",)]
    with pytest.raises(asyncio.InvalidStateError, match="RPC already finished"):
        await call.write(text("late"))
    await call.done_writing()
    assert await call.code() is OK


async def test_an_endless_request_iterator_ends_with_the_call(peers: Peers) -> None:
    async def handler(
        request_iterator: AsyncIterator[StringValue], context: Context
    ) -> StringValue:
        async for request in request_iterator:
            return request
        raise AssertionError("the iterator is endless")

    async def generate() -> AsyncIterator[StringValue]:
        while True:
            yield text("more")

    stub = await peers.connect(requests(handler))
    assert await outcome(stub.requests(generate())) == ("more",)


# Deadline and cancellation


async def test_a_deadline_ends_the_call_on_both_sides(peers: Peers) -> None:
    handler_ended = asyncio.Event()
    remaining: list[Any] = []

    async def handler(request: StringValue, context: Context) -> StringValue:
        remaining.append(context.time_remaining())
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            remaining.append(context.time_remaining())
            handler_ended.set()
            raise
        raise AssertionError("nothing sets the event")

    stub = await peers.connect(unary(handler))
    call = stub.unary(text(""), timeout=0.5)
    assert 0 < call.time_remaining() < 0.6
    assert await outcome(call) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "Deadline Exceeded",
        (),
        (),
    )
    await handler_ended.wait()
    assert 0 < remaining[0] < 0.6
    assert remaining[1] == pytest.approx(0, abs=0.05)
    assert (call.done(), call.cancelled(), call.time_remaining()) == (True, False, 0)


async def test_a_deadline_ends_a_stream_after_its_messages(peers: Peers) -> None:
    handler_ended = asyncio.Event()

    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        try:
            yield text("first")
            await asyncio.Event().wait()
        finally:
            handler_ended.set()

    stub = await peers.connect(responses(handler))
    call = stub.responses(text(""), timeout=0.5)
    first, (code, details) = await collect(call)
    assert (first, code) == ("first", grpc.StatusCode.DEADLINE_EXCEEDED)
    assert "Deadline Exceeded" in details
    await handler_ended.wait()


async def test_a_call_in_time_does_not_notice_its_deadline(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        remaining: Any = context.time_remaining()
        return text("none" if remaining is None else "some")

    stub = await peers.connect(unary(handler))
    assert await outcome(stub.unary(text(""), timeout=30)) == ("some",)
    assert await outcome(stub.unary(text(""))) == ("none",)


async def test_the_handler_sees_the_client_cancel(peers: Peers) -> None:
    started, ended = asyncio.Event(), asyncio.Event()
    seen: list[Any] = []

    async def handler(request: StringValue, context: Context) -> StringValue:
        when_done(context, lambda ctx: seen.append(("callback", ctx.done())))
        when_done(context, lambda ctx: ended.set())
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append((context.done(), context.cancelled(), context.code()))
            raise
        raise AssertionError("nothing sets the event")

    stub = await peers.connect(unary(handler))
    call = stub.unary(text(""))
    await started.wait()
    assert [call.cancel(), call.cancel()] == [True, False]
    assert (call.done(), call.cancelled()) == (True, True)
    assert await outcome(call) == ("CancelledError",)
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert await call.details() == "Locally cancelled by application!"
    assert (tuple(await call.initial_metadata()), tuple(await call.trailing_metadata())) == ((), ())
    await ended.wait()
    assert seen == [(False, False, None), ("callback", False)]


async def test_giving_up_to_wait_cancels_the_call(peers: Peers) -> None:
    ended = asyncio.Event()

    async def handler(request: StringValue, context: Context) -> StringValue:
        when_done(context, lambda ctx: ended.set())
        await asyncio.Event().wait()
        raise AssertionError("nothing sets the event")

    stub = await peers.connect(unary(handler))
    call = stub.unary(text(""))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call, timeout=0.1)
    assert call.cancelled()
    await ended.wait()


async def test_a_stream_is_cancelled_from_within_its_loop(peers: Peers) -> None:
    ended = asyncio.Event()

    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        when_done(context, lambda ctx: ended.set())
        while True:
            yield text("again")
            await asyncio.sleep(0)

    stub = await peers.connect(responses(handler))
    call = stub.responses(text(""))

    async def cancel_at_first() -> None:
        async for _ in call:
            call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await cancel_at_first()
    await ended.wait()
    assert await outcome(call.read()) == ("CancelledError",)


async def test_a_bidirectional_call_is_cancelled_while_idle(peers: Peers) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def handler(
        request_iterator: AsyncIterator[StringValue], context: Context
    ) -> AsyncIterator[StringValue]:
        when_done(context, lambda ctx: ended.set())
        started.set()
        async for request in request_iterator:
            yield request

    stub = await peers.connect(both(handler))
    call = stub.both()
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.InvalidStateError, match="RPC already finished"):
        await call.write(text("late"))
    assert await outcome(call.read()) == ("CancelledError",)
    await ended.wait()


async def test_a_handler_that_survives_its_cancellation_reads_nothing_and_cannot_write(
    peers: Peers,
) -> None:
    ended = asyncio.Event()
    seen: list[Any] = []

    async def handler(request_iterator: Any, context: Context) -> None:
        await context.write(text("first"))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append(await context.read())
            with pytest.raises(grpc.aio.InternalError):
                await context.write(text("late"))
            ended.set()

    stub = await peers.connect(both(handler))
    call = stub.both()
    assert await outcome(call.read()) == ("first",)
    call.cancel()
    await ended.wait()
    assert seen == [grpc.aio.EOF]


async def test_a_failing_request_iterator_cancels_the_call(peers: Peers) -> None:
    ended = asyncio.Event()

    async def handler(
        request_iterator: AsyncIterator[StringValue], context: Context
    ) -> StringValue:
        when_done(context, lambda ctx: ended.set())
        async for _ in request_iterator:
            pass
        raise AssertionError("the iterator never ends well")

    async def generate() -> AsyncIterator[StringValue]:
        yield text("a")
        raise ValueError("the application's")

    stub = await peers.connect(requests(handler))
    call = stub.requests(generate())
    assert await outcome(call) == ("CancelledError",)
    assert await call.code() is grpc.StatusCode.CANCELLED
    await ended.wait()


# Back-pressure

# So much that no window of the transport takes it all: 64 MiB.
LARGE = "x" * 65_536
MANY = 1_000


async def collect_rest(call: Any) -> list[Any]:
    rest = []
    while (response := await call.read()) is not grpc.aio.EOF:
        rest.append(response)
    return rest


async def settled(count: Callable[[], int]) -> int:
    """Return a count once it has stopped growing."""
    while True:
        before = count()
        await asyncio.sleep(0.05)
        if count() == before > 0:
            return before


async def test_a_slow_reader_blocks_the_handler(peers: Peers) -> None:
    written = 0

    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        nonlocal written
        for _ in range(MANY):
            yield text(LARGE)
            written += 1

    stub = await peers.connect(responses(handler))
    call = stub.responses(text(""))
    assert await call.read() is not grpc.aio.EOF
    blocked_at = await settled(lambda: written)
    assert blocked_at < MANY / 2
    assert len(await collect_rest(call)) == MANY - 1
    assert written == MANY


async def test_a_slow_handler_blocks_the_writer(peers: Peers) -> None:
    written = 0
    proceed = asyncio.Event()

    async def handler(
        request_iterator: AsyncIterator[StringValue], context: Context
    ) -> StringValue:
        await proceed.wait()
        return text(str(len([request async for request in request_iterator])))

    async def generate() -> AsyncIterator[StringValue]:
        nonlocal written
        for _ in range(MANY):
            yield text(LARGE)
            written += 1

    stub = await peers.connect(requests(handler))
    call = stub.requests(generate())
    assert await settled(lambda: written) < MANY / 2
    proceed.set()
    assert await outcome(call) == (str(MANY),)


# Messages belong to whoever holds them


async def test_changing_a_request_after_it_was_sent_has_no_effect(peers: Peers) -> None:
    async def echo(request: StringValue, context: Context) -> StringValue:
        await asyncio.sleep(0)
        return text(request.value)

    async def echo_all(
        request_iterator: AsyncIterator[StringValue], context: Context
    ) -> StringValue:
        return text("+".join([request.value async for request in request_iterator]))

    stub = await peers.connect(unary(echo), requests(echo_all))
    request = text("sent")
    call = stub.unary(request)
    await asyncio.sleep(0)
    request.value = "changed"
    assert await outcome(call) == ("sent",)

    stream = stub.requests()
    await stream.write(request)
    request.value = "again"
    await stream.write(request)
    request.value = "too late"
    await stream.done_writing()
    assert await outcome(stream) == ("changed+again",)


async def test_changing_a_response_after_it_was_sent_has_no_effect(peers: Peers) -> None:
    shared = text("")

    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        for number in range(5):
            shared.value = str(number)
            yield shared
        shared.value = "changed"

    stub = await peers.connect(responses(handler))
    assert await collect(stub.responses(text(""))) == ["0", "1", "2", "3", "4"]


async def test_neither_end_can_change_the_others_message(peers: Peers) -> None:
    kept = text("kept")

    async def handler(request: StringValue, context: Context) -> StringValue:
        request.value = "changed by the handler"
        return kept

    stub = await peers.connect(unary(handler))
    request = text("mine")
    response = await stub.unary(request)
    response.value = "changed by the client"
    assert (request.value, kept.value) == ("mine", "kept")


async def test_ends_with_different_types_see_each_others_bytes(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        return text(request.value + "!")

    stub = await peers.connect(unary(handler))
    path = f"/{SERVICE}/Unary"
    raw: Any = stub.channel.unary_unary(path)
    assert await raw(text("raw").SerializeToString()) == text("raw!").SerializeToString()
    # BytesValue has the wire format of StringValue.
    other: Any = stub.channel.unary_unary(
        path,
        request_serializer=BytesValue.SerializeToString,
        response_deserializer=BytesValue.FromString,
    )
    assert await other(BytesValue(value=b"other")) == BytesValue(value=b"other!")


async def test_a_request_that_the_handler_cannot_parse_is_unknown(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        raise AssertionError("not reached")

    stub = await peers.connect(unary(handler))
    raw: Any = stub.channel.unary_unary(f"/{SERVICE}/Unary")
    code, details, *_ = await outcome(raw(b"\xff"))
    assert code is grpc.StatusCode.UNKNOWN
    assert "DecodeError" in details


# Metadata


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ((("Upper", "v"),), grpc.aio.InternalError),
        ((("with space", "v"),), grpc.aio.InternalError),
        ((("", "v"),), grpc.aio.InternalError),
        ((("k", "é"),), grpc.aio.InternalError),
        ((("k", "a\nb"),), grpc.aio.InternalError),
        ((("k-bin", "text"),), TypeError),
        ((("k", 1),), TypeError),
        (((1, "v"),), TypeError),
    ],
)
async def test_illegal_request_metadata_is_refused(
    peers: Peers, metadata: Any, error: type[Exception]
) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        raise AssertionError("not reached")

    stub = await peers.connect(unary(handler))
    with pytest.raises(error):
        await stub.unary(text(""), metadata=metadata)


async def test_metadata_arrives_as_the_transport_normalises_it(peers: Peers) -> None:
    seen: list[Metadata] = []

    async def handler(request: StringValue, context: Context) -> StringValue:
        seen.append(own(context.invocation_metadata()))
        return request

    stub = await peers.connect(unary(handler))
    await stub.unary(text(""), metadata=[("k", b"bytes"), ("grpc-x", " v "), ("e", "")])
    await stub.unary(text(""), metadata=grpc.aio.Metadata(("a", "1"), ("a", "2")))
    await stub.unary(text(""), metadata=(("user-agent", "mine"), ("te", "x")))
    assert seen == [
        (("k", "bytes"), ("grpc-x", " v "), ("e", "")),
        (("a", "1"), ("a", "2")),
        (),
    ]


@pytest.mark.parametrize("where", ["initial", "trailing"])
async def test_illegal_response_metadata_is_an_internal_error(peers: Peers, where: str) -> None:
    async def handler(request: StringValue, context: Context) -> StringValue:
        if where == "initial":
            await context.send_initial_metadata((("Upper", "v"),))
        context.set_trailing_metadata((("Upper", "v"),))
        return request

    stub = await peers.connect(unary(handler))
    assert await outcome(stub.unary(text(""))) == (
        grpc.StatusCode.INTERNAL,
        "Invalid metadata",
        (),
        (),
    )


@pytest.mark.parametrize("metadata", [{"k": "v"}, (("k", 1),), ("ab",), (("k",),), 7])
async def test_trailing_metadata_of_a_wrong_shape_is_refused(peers: Peers, metadata: Any) -> None:
    seen: list[type[Exception]] = []

    async def handler(request: StringValue, context: Context) -> StringValue:
        try:
            context.set_trailing_metadata(metadata)
        except TypeError as error:
            seen.append(type(error))
        return request

    stub = await peers.connect(unary(handler))
    assert await outcome(stub.unary(text("a"))) == ("a",)
    assert seen == [TypeError]


async def test_initial_metadata_is_seen_before_the_first_message_and_sent_once(
    peers: Peers,
) -> None:
    proceed = asyncio.Event()
    seen: list[str] = []

    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        await context.send_initial_metadata((("first", "1"),))
        await proceed.wait()
        try:
            await context.send_initial_metadata((("first", "2"),))
        except grpc.aio.UsageError as error:
            seen.append(str(error))
        yield text("a")

    stub = await peers.connect(responses(handler))
    call = stub.responses(text(""))
    assert tuple(await call.initial_metadata()) == (("first", "1"),)
    proceed.set()
    assert await collect(call) == ["a"]
    assert seen == ["Send initial metadata failed: already sent"]


async def test_a_handler_runs_in_the_context_of_the_server(peers: Peers) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def handler(request: StringValue, context: Context) -> StringValue:
        value = variable.get()
        variable.set("the handler's")
        return text(value)

    variable.set("the server's")
    stub = await peers.connect(unary(handler))
    variable.set("the client's")
    assert await outcome(stub.unary(text(""))) == ("the server's",)
    assert await outcome(stub.unary(text(""))) == ("the server's",)
    assert variable.get() == "the client's"


# Interceptors


class Recorder(grpc.aio.ServerInterceptor):
    """Notes what it is asked, then lets the call pass."""

    def __init__(self, name: str, seen: list[Any]) -> None:
        self._name = name
        self._seen = seen

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        metadata = own(handler_call_details.invocation_metadata)
        self._seen.append((self._name, handler_call_details.method, metadata))
        return await continuation(handler_call_details)


class Replacer(grpc.aio.ServerInterceptor):
    """Puts another handler in the place of every handler."""

    def __init__(self, replace: Callable[[Any], Any]) -> None:
        self._replace = replace

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return self._replace(await continuation(handler_call_details))


async def echo(request: StringValue, context: Context) -> StringValue:
    return text(request.value)


async def repeat(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
    yield request
    yield request


async def concatenate(request_iterator: Any, context: Context) -> StringValue:
    return text("".join([request.value async for request in request_iterator]))


async def converse(request_iterator: Any, context: Context) -> AsyncIterator[StringValue]:
    async for request in request_iterator:
        yield request


async def test_interceptors_are_asked_in_order(peers: Peers) -> None:
    seen: list[Any] = []
    interceptors = [Recorder("outer", seen), Recorder("inner", seen)]
    stub = await peers.connect(unary(echo), interceptors=interceptors)
    assert await outcome(stub.unary(text("a"), metadata=(("k", "v"),))) == ("a",)
    assert seen == [
        ("outer", "/test.Echo/Unary", (("k", "v"),)),
        ("inner", "/test.Echo/Unary", (("k", "v"),)),
    ]


async def test_an_interceptor_refuses_any_kind_of_call_with_a_unary_handler(peers: Peers) -> None:
    async def refuse(request: Any, context: Context) -> StringValue:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")

    stub = await peers.connect(
        unary(echo),
        responses(repeat),
        requests(concatenate),
        both(converse),
        interceptors=[Replacer(lambda _: unary(refuse))],
    )
    refused = (grpc.StatusCode.PERMISSION_DENIED, "no", (), ())
    assert await outcome(stub.unary(text(""))) == refused
    assert await outcome(stub.responses(text("")).read()) == refused
    assert await outcome(stub.requests(map(text, "ab"))) == refused
    call = stub.both()
    await call.write(text("a"))
    assert await outcome(call.read()) == refused


async def test_an_interceptor_can_deny_that_a_method_exists(peers: Peers) -> None:
    stub = await peers.connect(unary(echo), interceptors=[Replacer(lambda _: None)])
    assert (await outcome(stub.unary(text(""))))[:2] == (
        grpc.StatusCode.UNIMPLEMENTED,
        "Method not found!",
    )


async def test_an_exception_of_an_interceptor_is_unknown(peers: Peers) -> None:
    def fail(handler: Any) -> Any:
        raise ValueError("intercepted")

    stub = await peers.connect(unary(echo), interceptors=[Replacer(fail)])
    assert (await outcome(stub.unary(text(""))))[:2] == (
        grpc.StatusCode.UNKNOWN,
        "Unexpected <class 'ValueError'>: intercepted",
    )


async def test_responses_may_be_encoded_already(peers: Peers) -> None:
    async def encoded(request: StringValue, context: Context) -> bytes:
        return text("encoded " + request.value).SerializeToString()

    async def encoded_stream(request: StringValue, context: Context) -> AsyncIterator[Any]:
        yield text("encoded").SerializeToString()
        yield text("message")

    def encode(response: Any) -> bytes:
        return response if isinstance(response, bytes) else response.SerializeToString()

    stub = await peers.connect(
        unary(encoded),
        responses(encoded_stream),
        interceptors=[Replacer(lambda handler: handler._replace(response_serializer=encode))],
    )
    assert await outcome(stub.unary(text("a"))) == ("encoded a",)
    assert await collect(stub.responses(text(""))) == ["encoded", "message"]


async def test_bytes_without_such_a_serializer_are_unknown(peers: Peers) -> None:
    async def encoded(request: StringValue, context: Context) -> bytes:
        return b""

    stub = await peers.connect(unary(encoded))
    code, details, *_ = await outcome(stub.unary(text("a")))
    assert code is grpc.StatusCode.UNKNOWN
    assert details.startswith("Unexpected <class 'TypeError'>: ")


# The rules of the call objects


async def test_reading_styles_may_not_be_mixed(peers: Peers) -> None:
    stub = await peers.connect(responses(repeat))
    call = stub.responses(text("a"))
    await call.read()
    with pytest.raises(grpc.aio.UsageError, match="may not be mixed"):
        await collect(call)
    call = stub.responses(text("a"))
    async for _ in call:
        break
    with pytest.raises(grpc.aio.UsageError, match="may not be mixed"):
        await call.read()


async def test_writing_styles_may_not_be_mixed(peers: Peers) -> None:
    stub = await peers.connect(requests(concatenate))
    call = stub.requests(map(text, "ab"))
    with pytest.raises(grpc.aio.UsageError, match="may not be mixed"):
        await call.write(text("c"))
    with pytest.raises(grpc.aio.UsageError, match="may not be mixed"):
        await call.done_writing()
    assert await outcome(call) == ("ab",)


async def test_nothing_can_be_written_after_the_half_close(peers: Peers) -> None:
    stub = await peers.connect(requests(concatenate))
    call = stub.requests()
    await call.write(text("a"))
    await call.done_writing()
    with pytest.raises(asyncio.InvalidStateError, match="half closed"):
        await call.write(text("b"))
    assert await outcome(call) == ("a",)


async def test_done_callbacks_get_the_call_or_the_context(peers: Peers) -> None:
    seen: list[Any] = []
    handler_done = asyncio.Event()

    async def handler(request: StringValue, context: Context) -> StringValue:
        when_done(context, lambda ctx: seen.append(("handler", ctx.done())))
        when_done(context, lambda ctx: handler_done.set())
        return request

    stub = await peers.connect(unary(handler))
    call = stub.unary(text("a"))
    call.add_done_callback(lambda done: seen.append(("client", done is call)))
    await call
    call.add_done_callback(lambda done: seen.append(("after", done is call)))
    await handler_done.wait()
    assert sorted(seen) == [("after", True), ("client", True), ("handler", True)]


async def test_waiting_for_the_status_can_be_given_up(peers: Peers) -> None:
    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        yield text("first")
        await asyncio.Event().wait()

    stub = await peers.connect(responses(handler))
    call = stub.responses(text(""))
    assert await outcome(call.read()) == ("first",)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call.code(), timeout=0.05)
    assert not call.done()


async def test_waiting_for_the_connection_tells_that_the_call_has_failed(peers: Peers) -> None:
    stub = await peers.connect()
    not_found = (grpc.StatusCode.UNIMPLEMENTED, "Method not found!", (), ())
    assert await outcome(stub.unary(text("")).wait_for_connection()) == not_found
    assert await outcome(stub.responses(text("")).wait_for_connection()) == not_found
    call = stub.both()
    assert await outcome(call.read()) == not_found
    assert await outcome(call.wait_for_connection()) == not_found


async def test_waiting_for_the_connection_does_not_wait_for_the_handler(peers: Peers) -> None:
    stub = await peers.connect(requests(concatenate), both(converse))
    for call in (stub.requests(), stub.both()):
        await call.wait_for_connection()
        await call.write(text("a"))
        await call.done_writing()
        assert await outcome(call if hasattr(call, "__await__") else call.read()) == ("a",)


async def test_giving_up_a_read_gives_up_the_call(peers: Peers) -> None:
    ended = asyncio.Event()

    async def handler(request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        when_done(context, lambda _: ended.set())
        yield request
        await asyncio.Event().wait()

    stub = await peers.connect(responses(handler))
    call = stub.responses(text("a"))
    assert await outcome(call.read()) == ("a",)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call.read(), timeout=0.05)
    assert call.cancelled()
    await ended.wait()


async def test_status_codes_may_be_numbers(peers: Peers) -> None:
    async def handler(request: StringValue, context: Any) -> StringValue:
        context.set_code(int(request.value))
        return request

    stub = await peers.connect(unary(handler))
    assert (await outcome(stub.unary(text("5"))))[0] is grpc.StatusCode.NOT_FOUND
    assert (await outcome(stub.unary(text("77"))))[0] is grpc.StatusCode.UNKNOWN
    assert await outcome(stub.unary(text("0"))) == ("0",)


async def test_a_closed_channel_takes_no_calls_and_cancels_those_under_way(peers: Peers) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: StringValue, context: Context) -> StringValue:
        when_done(context, lambda ctx: ended.set())
        started.set()
        await asyncio.Event().wait()
        raise AssertionError("nothing sets the event")

    stub = await peers.connect(unary(handler))
    call = stub.unary(text(""))
    await started.wait()
    await stub.channel.close()
    assert await outcome(call) == ("CancelledError",)
    await ended.wait()
    with pytest.raises(grpc.aio.UsageError, match="Channel is closed"):
        stub.unary(text(""))
    assert stub.channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    await stub.channel.close()


async def test_a_closing_channel_cancels_what_outlasts_the_grace(peers: Peers) -> None:
    stub = await peers.connect(both(converse))
    call = stub.both()
    await call.write(text("a"))
    assert await outcome(call.read()) == ("a",)
    await stub.channel.close(grace=0.05)
    assert await outcome(call.read()) == ("CancelledError",)


async def test_a_closing_channel_gives_calls_their_grace(peers: Peers) -> None:
    started, proceed = asyncio.Event(), asyncio.Event()

    async def handler(request: StringValue, context: Context) -> StringValue:
        started.set()
        await proceed.wait()
        return request

    stub = await peers.connect(unary(handler))
    call = stub.unary(text("a"))
    await started.wait()
    closing = asyncio.create_task(stub.channel.close(grace=30))
    await asyncio.sleep(0)
    proceed.set()
    assert await outcome(call) == ("a",)
    await closing


async def test_a_stopping_server_cancels_what_outlasts_the_grace(peers: Peers) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: StringValue, context: Context) -> StringValue:
        when_done(context, lambda ctx: ended.set())
        started.set()
        await asyncio.Event().wait()
        raise AssertionError("nothing sets the event")

    stub = await peers.connect(unary(handler))
    call = stub.unary(text(""))
    await started.wait()
    assert peers.server is not None
    await peers.server.stop(0.05)
    await ended.wait()
    assert await outcome(call) == (
        grpc.StatusCode.UNAVAILABLE,
        "Cancelling all calls",
        (),
        (),
    )
    assert await peers.server.wait_for_termination(1) is False
    assert (await outcome(stub.unary(text(""))))[0] is grpc.StatusCode.UNAVAILABLE


async def test_a_stopping_server_lets_calls_end_within_the_grace(peers: Peers) -> None:
    started, proceed = asyncio.Event(), asyncio.Event()

    async def handler(request: StringValue, context: Context) -> StringValue:
        started.set()
        await proceed.wait()
        return request

    stub = await peers.connect(unary(handler))
    call = stub.unary(text("a"))
    await started.wait()
    assert peers.server is not None
    stopping = asyncio.create_task(peers.server.stop(30))
    await asyncio.sleep(0)
    proceed.set()
    assert await outcome(call) == ("a",)
    await stopping


async def test_call_credentials_need_a_secure_channel(peers: Peers) -> None:
    stub = await peers.connect(unary(echo))
    with pytest.raises(grpc.aio.UsageError, match="only valid on secure channels"):
        stub.unary(text(""), credentials=grpc.access_token_call_credentials("token"))


async def test_messages_of_any_type_travel(peers: Peers) -> None:
    handler: Any = grpc.unary_unary_rpc_method_handler(
        negate,
        request_deserializer=Int32Value.FromString,
        response_serializer=Int32Value.SerializeToString,
    )
    stub = await peers.connect(handler)
    method: Any = stub.channel.unary_unary(
        f"/{SERVICE}/Unary", Int32Value.SerializeToString, Int32Value.FromString
    )
    assert await method(Int32Value(value=7)) == Int32Value(value=-7)


async def negate(request: Int32Value, context: Context) -> Int32Value:
    return Int32Value(value=-request.value)
