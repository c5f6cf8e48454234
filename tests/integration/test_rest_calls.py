"""Calls over HTTP/1.1 (`calls.sock`): what is special about them. What they share with those over
gRPC is tested over both, see the fixture `front`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from tradewire.v1 import order_service_pb2
from tradewire_contract import methods
from tradewire_server.api.rest.calls import CallContext, _ends_at, _failure
from tradewire_server.app import Settings

from tests.integration.conftest import Complaints
from tests.support.calls import Answer, framed, read_answer
from tests.support.failures import failure
from tests.support.front import HANDLE, ORDERS, Front, bearer, front_of, order
from tests.support.slow_disk import SlowDisk
from tests.support.trading import Trader, limit
from tests.support.venue import Clock, RunningVenue, Stubs, running_venue
from tests.support.waiting import eventually

TIMEOUT_S = 10


class Wire:
    """A connection, as Envoy keeps one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(
        self, path: str, body: bytes, headers: dict[str, str] | None = None, method: str = "POST"
    ) -> None:
        lines = [f"{method} {path} HTTP/1.1", "host: venue", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.writer.write("\r\n".join((*lines, "", "")).encode() + body)

    async def answer(self) -> Answer:
        async with asyncio.timeout(TIMEOUT_S):
            return await read_answer(self.reader)

    async def is_closed(self) -> bool:
        async with asyncio.timeout(TIMEOUT_S):
            return await self.reader.read() == b""


@asynccontextmanager
async def wire(venue: RunningVenue) -> AsyncIterator[Wire]:
    """Connect to the socket."""
    reader, writer = await asyncio.open_unix_connection(str(venue.app.sockets.calls))
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.fixture
async def calls(venue: RunningVenue, clock: Clock) -> AsyncIterator[Front]:
    async with front_of(venue, clock, over="calls.sock") as front:
        yield front


async def placing(front: Front, client_order_id: str) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of an order that may pass."""
    token = bearer(front)
    handle = await front.handle("POST", "/v1/orders", order(client_order_id), token)
    return framed(limit(client_order_id).SerializeToString()), {HANDLE: handle, **token}


async def place(front: Front, connection: Wire, client_order_id: str, **more: str) -> None:
    body, headers = await placing(front, client_order_id)
    more = {name.replace("_", "-"): value for name, value in more.items()}
    connection.send(ORDERS + "PlaceOrder", body, {**headers, **more})


async def test_a_connection_carries_one_call_after_the_other(calls: Front) -> None:
    async with wire(calls.venue) as connection:
        for number in range(3):
            await place(calls, connection, f"a-{number}")
            answer = await connection.answer()
            assert answer.code is grpc.StatusCode.OK
            placed = order_service_pb2.PlaceOrderResponse.FromString(answer.body[5:])
            assert placed.order.client_order_id == f"a-{number}"
            assert answer.trailers == {"grpc-status": "0"}
            assert int(answer.headers["ratelimit-remaining"]) >= 0


async def test_every_call_needs_the_handle_of_its_check(calls: Front) -> None:
    handle = await calls.handle("GET", "/v1/orders", headers=bearer(calls))
    body = framed(b"")
    async with wire(calls.venue) as connection:
        for path in (ORDERS + "ListOrders", "/tradewire.v1.SessionService/GetServerTime"):
            # Over gRPC one without `x-envoy-original-path` would be a client's own.
            connection.send(path, body, bearer(calls))
            answer = await connection.answer()
            assert answer.code is grpc.StatusCode.UNAUTHENTICATED
            assert "came past the check" in answer.headers["grpc-message"]
        connection.send(ORDERS + "ListOrders", body, {**bearer(calls), HANDLE: handle})
        assert (await connection.answer()).code is grpc.StatusCode.OK


async def test_only_unary_methods_of_the_public_are_there(calls: Front) -> None:
    empty = framed(b"")
    for path, method in methods().items():
        if method.server_streaming or method.scope == "admin":
            async with wire(calls.venue) as connection:
                connection.send(path, empty, bearer(calls))
                answer = await connection.answer()
                assert answer.code is grpc.StatusCode.UNIMPLEMENTED, path
    async with wire(calls.venue) as connection:
        for path in ("/", "/grpc.health.v1.Health/Check", ORDERS + "Nonsense"):
            connection.send(path, empty)
            assert (await connection.answer()).code is grpc.StatusCode.UNIMPLEMENTED, path


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0\0\0",
        b"\0\0\0\0\1",
        b"\0\0\0\0\1ab",
        b"\1\0\0\0\1a",
        b"\0\xff\xff\xff\xffa",
    ],
)
async def test_a_body_that_is_not_one_message_is_no_call(calls: Front, body: bytes) -> None:
    async with wire(calls.venue) as connection:
        connection.send(ORDERS + "PlaceOrder", body, bearer(calls))
        answer = await connection.answer()
        assert answer.headers["grpc-message"].startswith("MESSAGE_MALFORMED: ")
        connection.send(ORDERS + "ListOrders", framed(b""), method="GET")
        assert (await connection.answer()).code is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_that_cannot_be_parsed_is_malformed(calls: Front) -> None:
    handle = await calls.handle("POST", "/v1/orders", order(), bearer(calls))
    metadata = ((HANDLE, handle), *bearer(calls).items())

    call = calls.calls.unary_unary(
        ORDERS + "PlaceOrder", request_serializer=lambda _: b"\xff", response_deserializer=bytes
    )
    found = await failure(call(None, metadata=metadata))
    assert (found.reason, found.outcome) == ("MESSAGE_MALFORMED", "refused")


async def test_what_is_not_http_closes_the_connection(calls: Front) -> None:
    async with wire(calls.venue) as connection:
        connection.writer.write(b"this is not HTTP\r\n\r\n")
        assert await connection.is_closed()


async def test_what_comes_after_the_body_is_no_header(calls: Front) -> None:
    token = bearer(calls)
    handle = await calls.handle("GET", "/v1/orders", headers=token)
    message = framed(b"")
    for trailers in ({}, token, {**token, HANDLE: handle}):
        head = [f"POST {ORDERS}ListOrders HTTP/1.1", "host: venue", "transfer-encoding: chunked"]
        head += ["x-envoy-original-path: /v1/orders", f"{HANDLE}: {handle}", "", ""]
        tail = ["0", *(f"{name}: {value}" for name, value in trailers.items()), "", ""]
        chunk = f"{len(message):x}\r\n".encode() + message + b"\r\n"
        async with wire(calls.venue) as connection:
            connection.writer.write("\r\n".join(head).encode() + chunk)
            connection.writer.write("\r\n".join(tail).encode())
            answer = await connection.answer()
            assert answer.code is grpc.StatusCode.UNAUTHENTICATED
            # The next request is not that of the last one's trailers either.
            connection.send(ORDERS + "ListOrders", message)
            assert (await connection.answer()).code is grpc.StatusCode.UNAUTHENTICATED
        handle = await calls.handle("GET", "/v1/orders", headers=token)


async def test_a_message_beyond_the_bound_is_no_call(calls: Front) -> None:
    async with wire(calls.venue) as connection:
        connection.send(ORDERS + "PlaceOrder", framed(bytes((4 << 20) + 1)), bearer(calls))
        assert (await connection.answer()).code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_second_request_before_the_answer_ends_the_connection(calls: Front) -> None:
    disk = SlowDisk(calls.venue.app)
    disk.hold()
    async with wire(calls.venue) as connection:
        await place(calls, connection, "a-1")
        await disk.held()
        await place(calls, connection, "a-2")
        assert await connection.is_closed()
        disk.release()
    trader = Trader(Stubs(calls.edge), calls.venue.credentials["alice"])
    # The first was under way; the second never was.
    assert (await trader.get("a-1")).order.client_order_id == "a-1"
    assert (await failure(trader.get("a-2"))).reason == "ORDER_NOT_FOUND"


async def test_a_lost_connection_does_not_take_its_command_along(calls: Front) -> None:
    app = calls.venue.app
    disk = SlowDisk(app)
    disk.hold()
    async with wire(calls.venue) as first, wire(calls.venue) as second:
        await place(calls, first, "a-1")
        await disk.held()
        await place(calls, second, "a-2")
        await eventually(lambda: app.sequencer.queue_length == 1)
    await eventually(lambda: not app._calls._tasks)
    disk.release()
    trader = Trader(Stubs(calls.edge), calls.venue.credentials["alice"])
    assert (await trader.get("a-2")).order.client_order_id == "a-2"


async def test_a_command_that_waits_beyond_the_deadline_is_refused(
    calls: Front, clock: Clock
) -> None:
    app = calls.venue.app
    disk = SlowDisk(app)
    disk.hold()
    async with wire(calls.venue) as first, wire(calls.venue) as second:
        await place(calls, first, "a-1")
        await disk.held()
        await place(calls, second, "a-2", grpc_timeout="25S")
        await eventually(lambda: app.sequencer.queue_length == 1)
        clock.advance(26)
        disk.release()
        assert (await first.answer()).code is grpc.StatusCode.OK
        late = await second.answer()
    assert late.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert late.headers["grpc-message"].startswith("DEADLINE_PASSED: ")


async def test_a_draining_venue_answers_what_is_under_way(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=5)
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice", "bob"])
        disk = SlowDisk(venue.app)
        async with front_of(venue, clock, over="calls.sock") as front, wire(venue) as connection:
            idle = await asyncio.open_unix_connection(str(venue.app.sockets.calls))
            disk.hold()
            await place(front, connection, "a-1")
            await disk.held()
            draining = asyncio.create_task(venue.app.drain())
            await asyncio.sleep(0)
            disk.release()
            assert (await connection.answer()).code is grpc.StatusCode.OK
            await draining
            assert await connection.is_closed()
            assert await idle[0].read() == b""
            idle[1].close()
            await idle[1].wait_closed()
        assert not venue.app.sockets.calls.exists()
        venue.app.drain = _nothing  # type: ignore[method-assign]


async def _nothing() -> None:
    """Do nothing: it has been done."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("25S", 25), ("2M", 120), ("1H", 3600), ("500m", 0.5), ("7u", 7e-6), ("9n", 9e-9)],
)
def test_the_deadline_is_read_as_grpc_writes_it(text: str, seconds: float) -> None:
    left = CallContext({"grpc-timeout": text}).time_remaining()
    assert left is not None
    assert 0 <= left <= seconds


@pytest.mark.parametrize("text", ["", "S", "-1S", "1", "123456789S", "1.5S", "\uff11S"])
def test_a_deadline_that_is_none_is_none(text: str) -> None:
    assert _ends_at((("grpc-timeout", text),)) is None


def test_a_text_of_any_kind_stays_in_its_header() -> None:
    context = CallContext({})
    context.code, context.details = grpc.StatusCode.NOT_FOUND, "é 100%\r\ngrpc-status: 0"
    lines = _failure(context).decode("ascii").split("\r\n")
    assert "grpc-message: %C3%A9 100%25%0D%0Agrpc-status: 0" in lines
    assert [line for line in lines if line.startswith("grpc-status")] == ["grpc-status: 5"]
