"""What only the in-process channel promises; what both channels do is in the integration suite."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tradewire_gateway.channel import InProcessChannel, InProcessServer

SERVICE = "test.Echo"
CODEC: dict[str, Any] = {
    "request_deserializer": StringValue.FromString,
    "response_serializer": StringValue.SerializeToString,
}
STUB_CODEC: dict[str, Any] = {
    "request_serializer": StringValue.SerializeToString,
    "response_deserializer": StringValue.FromString,
}
KINDS: dict[str, Any] = {
    "unary_unary": grpc.unary_unary_rpc_method_handler,
    "unary_stream": grpc.unary_stream_rpc_method_handler,
    "stream_unary": grpc.stream_unary_rpc_method_handler,
    "stream_stream": grpc.stream_stream_rpc_method_handler,
}


def text(value: str) -> StringValue:
    return StringValue(value=value)


async def connect(behaviour: Any, *, kind: str = "unary_unary", **options: Any) -> Any:
    """Return a stub's method for a server with this one handler."""
    server = InProcessServer()
    server.add_registered_method_handlers(SERVICE, {"Method": KINDS[kind](behaviour, **CODEC)})
    await server.start()
    channel = InProcessChannel(server, **options)
    return getattr(channel, kind)(f"/{SERVICE}/Method", **STUB_CODEC)


async def status_of(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value.code(), raised.value.details() or ""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    # What handlers raise on purpose is logged, with tracebacks.
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


async def echo(request: StringValue, context: Any) -> StringValue:
    return request


# Registration


class Health(health_pb2_grpc.HealthServicer):
    """Implements one of the service's methods."""

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802 - the contract's name
        return health_pb2.HealthCheckResponse(
            status=health_pb2.HealthCheckResponse.SERVING if request.service == "a" else 0
        )


async def test_generated_code_takes_server_and_channel() -> None:
    server = InProcessServer()
    health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
    await server.start()
    stub: Any = health_pb2_grpc.HealthStub(InProcessChannel(server))
    response = await stub.Check(health_pb2.HealthCheckRequest(service="a"))
    assert response == health_pb2.HealthCheckResponse(status=1)


async def test_methods_left_to_generated_code_are_unimplemented() -> None:
    server = InProcessServer()
    health_pb2_grpc.add_HealthServicer_to_server(Health(), server)
    await server.start()
    stub: Any = health_pb2_grpc.HealthStub(InProcessChannel(server))
    code, details = await status_of(stub.Watch(health_pb2.HealthCheckRequest()).read())
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "Method not implemented!" in details


@pytest.mark.parametrize("kind", KINDS)
def test_a_synchronous_handler_is_refused_at_registration(kind: str) -> None:
    def synchronous(request: Any, context: Any) -> Any:
        raise AssertionError("not reached")

    server = InProcessServer()
    handler = KINDS[kind](synchronous, **CODEC)
    with pytest.raises(TypeError, match=r"/test\.Echo/Method must be a coroutine function"):
        server.add_registered_method_handlers(SERVICE, {"Method": handler})


@pytest.mark.parametrize("kind", KINDS)
async def test_a_synchronous_handler_of_an_interceptor_fails_the_call(kind: str) -> None:
    class MakeSynchronous(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            return KINDS[kind](lambda request, context: request, **CODEC)

    server = InProcessServer(interceptors=[MakeSynchronous()])
    await server.start()
    method: Any = getattr(InProcessChannel(server), kind)(f"/{SERVICE}/Method", **STUB_CODEC)
    call = method(text("")) if kind.startswith("unary") else method([text("")])
    code, details = await status_of(call.read() if kind.endswith("stream") else call)
    assert code is grpc.StatusCode.UNKNOWN
    assert "must be a coroutine function" in details


async def test_a_unary_response_does_not_come_from_a_generator() -> None:
    async def generator(request: Any, context: Any) -> AsyncIterator[StringValue]:
        yield request

    with pytest.raises(TypeError, match="must be a coroutine function"):
        await connect(generator)


async def test_generic_handlers_serve_what_is_not_registered() -> None:
    server = InProcessServer()
    handler = grpc.unary_unary_rpc_method_handler(echo, **CODEC)
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler("other.Service", {"Method": handler}),
            grpc.method_handlers_generic_handler(SERVICE, {"Method": handler}),
        ]
    )
    await server.start()
    method: Any = InProcessChannel(server).unary_unary(f"/{SERVICE}/Method", **STUB_CODEC)
    assert await method(text("a")) == text("a")


async def test_nothing_is_registered_after_the_start_and_there_is_one_start() -> None:
    server = InProcessServer()
    await server.start()
    with pytest.raises(grpc.aio.UsageError):
        server.add_registered_method_handlers(SERVICE, {})
    with pytest.raises(grpc.aio.UsageError):
        server.add_generic_rpc_handlers([])
    with pytest.raises(grpc.aio.UsageError):
        await server.start()


def test_a_server_in_process_has_no_ports() -> None:
    server = InProcessServer()
    with pytest.raises(grpc.aio.UsageError):
        server.add_insecure_port("127.0.0.1:0")
    with pytest.raises(grpc.aio.UsageError):
        server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(b"", b"")]))


# Calls


async def test_handlers_start_in_the_order_of_the_calls() -> None:
    started: list[str] = []

    async def handler(request: StringValue, context: Any) -> StringValue:
        started.append(request.value)
        await asyncio.sleep(0)
        return request

    async def first_of_stream(request_iterator: Any, context: Any) -> None:
        started.append("stream")

    server = InProcessServer()
    server.add_registered_method_handlers(
        SERVICE,
        {
            "Method": grpc.unary_unary_rpc_method_handler(handler, **CODEC),
            "Stream": grpc.stream_stream_rpc_method_handler(first_of_stream, **CODEC),
        },
    )
    await server.start()
    channel = InProcessChannel(server)
    method: Any = channel.unary_unary(f"/{SERVICE}/Method", **STUB_CODEC)
    stream: Any = channel.stream_stream(f"/{SERVICE}/Stream", **STUB_CODEC)
    calls = [method(text(str(number))) for number in range(50)]
    open_stream = stream()
    calls += [method(text(str(number))) for number in range(50, 100)]
    await asyncio.gather(*reversed(calls))
    assert started == [*map(str, range(50)), "stream", *map(str, range(50, 100))]
    assert await open_stream.read() is grpc.aio.EOF


async def test_the_context_names_the_caller() -> None:
    async def handler(request: StringValue, context: Any) -> StringValue:
        context.set_compression(grpc.Compression.Gzip)
        context.disable_next_message_compression()
        assert (context.peer_identities(), context.peer_identity_key()) == (None, None)
        assert context.auth_context() == {"transport_security_type": [b"in_process"]}
        assert (context.details(), context.trailing_metadata()) == ("", ())
        assert isinstance(context, grpc.aio.ServicerContext)
        return text(context.peer())

    method = await connect(handler, name="fix")
    assert await method(text("")) == text("inproc:fix")


async def test_a_stream_holds_so_many_messages_and_no_more() -> None:
    written = 0

    async def handler(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        nonlocal written
        while True:
            yield request
            written += 1

    method = await connect(handler, kind="unary_stream", stream_length_max=3)
    call = method(text("a"))
    await asyncio.sleep(0)
    assert written == 3
    await call.read()
    await asyncio.sleep(0)
    assert written == 4
    call.cancel()


async def test_requests_wait_for_a_handler_that_does_not_read() -> None:
    proceed = asyncio.Event()

    async def handler(request_iterator: Any, context: Any) -> StringValue:
        await proceed.wait()
        return text("".join([request.value async for request in request_iterator]))

    method = await connect(handler, kind="stream_unary")
    call = method()
    for _ in range(16):
        await call.write(text("x"))
    blocked = asyncio.create_task(call.write(text("y")))
    await asyncio.sleep(0)
    assert not blocked.done()
    proceed.set()
    await blocked
    await call.done_writing()
    assert await call == text("x" * 16 + "y")


async def test_a_blocked_writer_is_told_the_deadline() -> None:
    async def handler(request_iterator: Any, context: Any) -> StringValue:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets the event")

    method = await connect(handler, kind="stream_unary", stream_length_max=1)
    call = method(timeout=0.01)
    await call.write(text("x"))
    assert (await status_of(call.write(text("y"))))[0] is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_an_iterator_of_requests_stops_at_the_deadline() -> None:
    closed = asyncio.Event()

    async def generate() -> AsyncIterator[StringValue]:
        try:
            while True:
                yield text("x")
        finally:
            closed.set()

    async def handler(request_iterator: Any, context: Any) -> StringValue:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets the event")

    method = await connect(handler, kind="stream_unary")
    assert (await status_of(method(generate(), timeout=0.01)))[0] is (
        grpc.StatusCode.DEADLINE_EXCEEDED
    )
    await closed.wait()


async def test_initial_metadata_cannot_be_sent_to_a_client_that_is_gone() -> None:
    ended = asyncio.Event()

    async def handler(request: StringValue, context: Any) -> StringValue:
        try:
            await asyncio.Event().wait()
        finally:
            with pytest.raises(grpc.aio.InternalError, match="client has ended"):
                await context.send_initial_metadata((("k", "v"),))
            ended.set()
        raise AssertionError("nothing sets the event")

    call = (await connect(handler))(text(""))
    await asyncio.sleep(0)
    call.cancel()
    await ended.wait()


async def test_giving_up_a_blocked_write_gives_up_the_call() -> None:
    async def handler(request_iterator: Any, context: Any) -> StringValue:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets the event")

    method = await connect(handler, kind="stream_unary", stream_length_max=1)
    call = method()
    await call.write(text("x"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call.write(text("y")), timeout=0.01)
    assert call.cancelled()


async def test_a_write_that_nobody_will_read_is_dropped_and_lets_others_run() -> None:
    async def handler(request_iterator: Any, context: Any) -> AsyncIterator[StringValue]:
        yield text("unread")

    method = await connect(handler, kind="stream_stream")
    call = method()
    for _ in range(100):
        await call.write(text("x"))
    assert [await call.read(), await call.read()] == [text("unread"), grpc.aio.EOF]
    assert await call.code() is grpc.StatusCode.OK


async def test_an_endless_list_of_requests_stops_with_the_call() -> None:
    taken = 0

    def generate() -> Iterator[StringValue]:
        nonlocal taken
        while True:
            taken += 1
            yield text("x")

    async def handler(request_iterator: Any, context: Any) -> AsyncIterator[StringValue]:
        yield await anext(request_iterator)

    method = await connect(handler, kind="stream_stream")
    call = method(generate())
    assert [response.value async for response in call] == ["x"]
    before = taken
    await asyncio.sleep(0)
    assert taken == before < 40


async def test_one_read_and_one_write_at_a_time() -> None:
    async def handler(request_iterator: Any, context: Any) -> AsyncIterator[StringValue]:
        await asyncio.Event().wait()
        yield text("")

    method = await connect(handler, kind="stream_stream", stream_length_max=1)
    call = method()
    reading = asyncio.create_task(call.read())
    await call.write(text("x"))
    writing = asyncio.create_task(call.write(text("y")))
    await asyncio.sleep(0)
    with pytest.raises(grpc.aio.UsageError, match="Only one read"):
        await call.read()
    with pytest.raises(grpc.aio.UsageError, match="Only one write"):
        await call.write(text("z"))
    assert not reading.done()
    assert not writing.done()
    call.cancel()
    await asyncio.gather(reading, writing, return_exceptions=True)


async def test_a_dropped_stream_is_cancelled() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        context.add_done_callback(lambda ctx: ended.set())
        started.set()
        yield text("first")
        await asyncio.Event().wait()

    method = await connect(handler, kind="unary_stream")
    call = method(text(""))
    async for _ in call:
        break
    await started.wait()
    del call
    gc.collect()
    await ended.wait()


async def test_a_unary_call_nobody_waits_for_is_carried_out() -> None:
    ended = asyncio.Event()

    async def handler(request: StringValue, context: Any) -> StringValue:
        await asyncio.sleep(0)
        ended.set()
        return request

    method = await connect(handler)
    method(text(""))
    gc.collect()
    await ended.wait()


async def test_cancelled_at_once_a_handler_never_starts() -> None:
    started: list[bool] = []

    async def handler(request: StringValue, context: Any) -> StringValue:
        started.append(True)
        return request

    method = await connect(handler)
    call = method(text(""))
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.sleep(0)
    assert not started


async def test_a_deadline_in_the_past_is_exceeded() -> None:
    method = await connect(sleep_forever)
    for timeout in (0, -1):
        assert await status_of(method(text(""), timeout=timeout)) == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "Deadline Exceeded",
        )


async def sleep_forever(request: StringValue, context: Any) -> StringValue:
    await asyncio.Event().wait()
    raise AssertionError("nothing sets the event")


async def test_a_failed_call_says_why() -> None:
    call = (await connect(sleep_forever))(text(""), timeout=0)
    assert await call.details() == "Deadline Exceeded"
    assert await call.debug_error_string() == "DEADLINE_EXCEEDED:Deadline Exceeded"


async def test_a_call_shows_how_it_stands() -> None:
    method = await connect(echo)
    call = method(text(""))
    assert repr(call) == "<in-process call of /test.Echo/Method: under way>"
    await call
    assert repr(call) == "<in-process call of /test.Echo/Method: OK ''>"
    assert await call.debug_error_string() == ""


# Where grpc.aio would leave the client without an answer


async def test_aborting_with_ok_is_unknown() -> None:
    async def handler(request: StringValue, context: Any) -> StringValue:
        await context.abort(grpc.StatusCode.OK, "fine?")
        raise AssertionError("not reached")

    assert await status_of((await connect(handler))(text(""))) == (grpc.StatusCode.UNKNOWN, "")


async def test_a_handler_that_cancels_itself_cancels_the_call() -> None:
    async def handler(request: StringValue, context: Any) -> StringValue:
        raise asyncio.CancelledError

    assert await status_of((await connect(handler))(text(""))) == (
        grpc.StatusCode.CANCELLED,
        "Cancelled by the handler.",
    )


async def test_text_in_a_binary_trailer_is_internal() -> None:
    async def handler(request: StringValue, context: Any) -> StringValue:
        context.set_trailing_metadata((("k-bin", "text"),))
        return request

    assert await status_of((await connect(handler))(text(""))) == (
        grpc.StatusCode.INTERNAL,
        "Invalid metadata",
    )


async def test_no_request_for_a_handler_that_takes_one_is_internal() -> None:
    server = InProcessServer()
    server.add_registered_method_handlers(
        SERVICE, {"Method": grpc.unary_unary_rpc_method_handler(echo, **CODEC)}
    )
    await server.start()
    method: Any = InProcessChannel(server).stream_unary(f"/{SERVICE}/Method", **STUB_CODEC)
    assert (await status_of(method([])))[0] is grpc.StatusCode.INTERNAL


async def test_no_response_for_a_client_that_awaits_one_is_internal() -> None:
    async def handler(request: StringValue, context: Any) -> None:
        return None

    server = InProcessServer()
    server.add_registered_method_handlers(
        SERVICE, {"Method": grpc.unary_stream_rpc_method_handler(handler, **CODEC)}
    )
    await server.start()
    method: Any = InProcessChannel(server).unary_unary(f"/{SERVICE}/Method", **STUB_CODEC)
    assert (await status_of(method(text(""))))[0] is grpc.StatusCode.INTERNAL


async def test_a_message_that_cannot_be_serialised_is_refused_at_once() -> None:
    method = await connect(echo)
    with pytest.raises(TypeError):
        method("text")


async def test_a_serializer_returns_bytes() -> None:
    server = InProcessServer()
    await server.start()
    method: Any = InProcessChannel(server).unary_unary(
        f"/{SERVICE}/Method", lambda request: request
    )
    with pytest.raises(TypeError, match="Expected bytes from the serializer"):
        method(7)


async def test_a_response_that_cannot_be_parsed_is_internal() -> None:
    async def handler(request: StringValue, context: Any) -> bytes:
        return b"\xff"

    server = InProcessServer()
    server.add_registered_method_handlers(
        SERVICE, {"Method": grpc.unary_unary_rpc_method_handler(handler, StringValue.FromString)}
    )
    await server.start()
    method: Any = InProcessChannel(server).unary_unary(f"/{SERVICE}/Method", **STUB_CODEC)
    assert await status_of(method(text(""))) == (
        grpc.StatusCode.INTERNAL,
        "Exception deserializing response!",
    )


async def test_a_failing_done_callback_does_not_keep_the_others_from_running() -> None:
    seen: list[str] = []

    def fail(context: Any) -> None:
        raise ValueError("the application's")

    async def handler(request: StringValue, context: Any) -> StringValue:
        context.add_done_callback(fail)
        context.add_done_callback(lambda ctx: seen.append("called"))
        return request

    assert await (await connect(handler))(text("a")) == text("a")
    assert seen == ["called"]


# The life of server and channel


async def test_a_server_that_does_not_run_is_unavailable() -> None:
    server = InProcessServer()
    method: Any = InProcessChannel(server).unary_unary(f"/{SERVICE}/Method", **STUB_CODEC)
    unavailable = (
        grpc.StatusCode.UNAVAILABLE,
        "The in-process server is not running.",
    )
    assert await status_of(method(text(""))) == unavailable
    await server.start()
    assert (await status_of(method(text(""))))[0] is grpc.StatusCode.UNIMPLEMENTED
    await server.stop(None)
    assert await status_of(method(text(""))) == unavailable
    await server.stop(None)


async def test_the_channel_is_ready_when_the_server_runs() -> None:
    server = InProcessServer()
    channel = InProcessChannel(server)
    assert channel.get_state() is grpc.ChannelConnectivity.IDLE
    ready = asyncio.create_task(channel.channel_ready())
    await asyncio.sleep(0)
    assert not ready.done()
    await server.start()
    await ready
    assert channel.get_state() is grpc.ChannelConnectivity.READY

    change = asyncio.create_task(channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
    await asyncio.sleep(0)
    async with channel:
        assert not change.done()
    await change
    with pytest.raises(grpc.aio.UsageError, match="Channel is closed"):
        await channel.channel_ready()


async def test_termination_can_be_awaited() -> None:
    server = InProcessServer()
    await server.start()
    assert await server.wait_for_termination(0.001) is True
    await server.stop(None)
    assert await server.wait_for_termination() is False


async def test_a_handler_may_stop_its_server() -> None:
    server = InProcessServer()

    async def handler(request: StringValue, context: Any) -> StringValue:
        await server.stop(30)
        return request

    server.add_registered_method_handlers(
        SERVICE, {"Method": grpc.unary_unary_rpc_method_handler(handler, **CODEC)}
    )
    await server.start()
    method: Any = InProcessChannel(server).unary_unary(f"/{SERVICE}/Method", **STUB_CODEC)
    assert (await status_of(method(text(""))))[0] is grpc.StatusCode.UNAVAILABLE


async def test_a_stopping_server_delivers_what_was_written() -> None:
    blocked = asyncio.Event()

    async def handler(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield text("first")
        blocked.set()
        await asyncio.Event().wait()

    server = InProcessServer()
    server.add_registered_method_handlers(
        SERVICE, {"Method": grpc.unary_stream_rpc_method_handler(handler, **CODEC)}
    )
    await server.start()
    method: Any = InProcessChannel(server).unary_stream(f"/{SERVICE}/Method", **STUB_CODEC)
    call = method(text(""))
    await blocked.wait()
    await server.stop(None)
    assert await call.read() == text("first")
    assert await status_of(call.read()) == (grpc.StatusCode.UNAVAILABLE, "Cancelling all calls")


async def test_nothing_is_kept_of_calls_that_have_ended() -> None:
    server = InProcessServer()
    server.add_registered_method_handlers(
        SERVICE, {"Method": grpc.unary_unary_rpc_method_handler(echo, **CODEC)}
    )
    await server.start()
    channel = InProcessChannel(server)
    method: Any = channel.unary_unary(f"/{SERVICE}/Method", **STUB_CODEC)
    await asyncio.gather(*(method(text("a"), timeout=30) for _ in range(10)))
    await asyncio.sleep(0)
    assert (server._active, channel._active) == ({}, set())


async def test_calls_come_from_the_loop_of_the_server() -> None:
    method = await connect(echo)

    async def call_from_elsewhere() -> None:
        with pytest.raises(grpc.aio.UsageError, match="loop of its server"):
            method(text(""))

    await asyncio.to_thread(asyncio.run, call_from_elsewhere())


def test_a_stream_holds_one_message_at_least() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        InProcessChannel(InProcessServer(), stream_length_max=0)
