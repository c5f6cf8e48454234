"""What comes at once over WebSocket is taken a little at a time, and everything is paid for."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.message import Message
from tradewire_gateway.ws import WebSocketLimits
from tradewire_gateway.ws.methods import targets
from tradewire_gateway.ws.transport import STEP_FRAMES, WebSocketProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from tests.support.venue import RunningVenue
from tests.support.waiting import eventually
from tests.support.ws import GatewayEdge, WsClient, gateway_beside, request

TIME = "session.time"
DEFLATE = "permessage-deflate; client_no_context_takeover; client_max_window_bits=12"


@contextlib.asynccontextmanager
async def limited(venue: RunningVenue, **limits: Any) -> AsyncIterator[GatewayEdge]:
    """Run a gateway with other limits."""
    async with gateway_beside(venue, limits=WebSocketLimits(**limits)) as edge:
        yield edge


@contextlib.asynccontextmanager
async def opened(
    edge: GatewayEdge, *, extensions: str = ""
) -> AsyncIterator[tuple[asyncio.StreamWriter, WebSocketProtocol]]:
    """Open a connection that sends bytes as they are; yields what writes, and the server's end."""
    before = set(edge.gateway._open)
    reader, writer = await asyncio.open_connection(*edge.address.split(":"))
    try:
        head = (
            "GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==\r\n"
        )
        if extensions:
            head += f"Sec-WebSocket-Extensions: {extensions}\r\n"
        writer.write(head.encode() + b"\r\n")
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        (protocol,) = edge.gateway._open - before
        yield writer, protocol
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def framed(opcode: Opcode, data: bytes = b"") -> bytes:
    """Return a frame of a client."""
    return Frame(opcode, data).serialize(mask=True)


def deflated(data: bytes) -> bytes:
    """Return a deflated text frame of a client."""
    extension = PerMessageDeflate(
        remote_no_context_takeover=True,
        local_no_context_takeover=True,
        remote_max_window_bits=12,
        local_max_window_bits=12,
    )
    return Frame(Opcode.TEXT, data).serialize(mask=True, extensions=[extension])


async def most_unanswered(protocol: WebSocketProtocol, until: int) -> int:
    """Return how many requests had no answer at once, once so many were answered."""
    connection = protocol.connection
    assert connection is not None
    answered, most, answer = 0, 0, connection.answer

    def counting(*arguments: Any) -> None:
        nonlocal answered
        answered += 1
        answer(*arguments)

    connection.answer = counting  # type: ignore[method-assign, assignment]
    async with asyncio.timeout(30):
        while answered < until:
            most = max(most, connection._unanswered)
            await asyncio.sleep(0)
    return most


async def test_requests_that_come_at_once_are_bounded_too(venue: RunningVenue) -> None:
    text = json.dumps(request(TIME)).encode()
    async with (
        limited(venue, websocket_unanswered_max=16) as edge,
        opened(edge) as (writer, protocol),
    ):
        writer.write(framed(Opcode.TEXT, text) * 400)
        assert await most_unanswered(protocol, 400) < 16 + STEP_FRAMES


async def test_batches_that_were_a_few_bytes_are_bounded_too(venue: RunningVenue) -> None:
    batch = json.dumps([{"jsonrpc": "2.0", "method": TIME}] * 200).encode()
    async with (
        limited(venue, websocket_unanswered_max=16) as edge,
        opened(edge, extensions=DEFLATE) as (writer, protocol),
    ):
        frame = deflated(batch)
        assert len(frame) < 150
        writer.write(frame * 20)
        # The first step brings two or three, and so does the one after they were answered.
        assert await most_unanswered(protocol, 20 * 200) <= 16 + 3 * 200


@pytest.mark.parametrize("name", [TIME, "orders.place"])
async def test_large_requests_are_bounded_by_their_bytes(venue: RunningVenue, name: str) -> None:
    # Each is 250 KB here and was 300 bytes there.
    params = {} if name == TIME else {"clientOrderId": "x" * 250_000}
    text = json.dumps(request(name, params)).ljust(250_000).encode()
    bound = 1 << 20
    async with (
        limited(venue, websocket_unanswered_bytes_max=bound) as edge,
        opened(edge, extensions=DEFLATE) as (writer, protocol),
    ):
        connection = protocol.connection
        assert connection is not None
        most, held = 0, connection._request

        def noting(*arguments: Any) -> Any:
            nonlocal most
            found = held(*arguments)
            most = max(most, connection._unanswered_bytes)
            return found

        # Nothing is answered while it is read.
        connection._request = noting  # type: ignore[method-assign, assignment]
        connection._calls._at_once_max = 0
        connection._serial = connection._request(None, targets()[name], Message(), None)
        writer.write(deflated(text) * 60)
        await eventually(lambda: protocol._is_held)
        assert bound <= most <= bound + 4 * 256_000


async def test_what_came_is_answered_whole_and_in_order(venue: RunningVenue) -> None:
    asked = [request("connection.configure", {}, number) for number in range(1, 901)]
    async with limited(venue) as edge, edge.client() as client:
        seen: list[int] = []
        client._take = lambda content: seen.append(content["id"])
        await asyncio.gather(*(client.send(each) for each in asked))
        await eventually(lambda: len(seen) == len(asked))
        assert seen == list(range(1, 901))


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(framed(Opcode.PING) * 500, id="pings"),
        pytest.param(framed(Opcode.PONG) * 500, id="pongs"),
        pytest.param(
            Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True)
            + Frame(Opcode.CONT, b"", fin=False).serialize(mask=True) * 500,
            id="empty pieces",
        ),
        pytest.param(
            framed(Opcode.TEXT, b'{"jsonrpc":"2.0","method":"connection.configure"}') * 500,
            id="requests that the gateway does itself",
        ),
    ],
)
async def test_what_costs_nothing_at_the_venue_is_paid_for_here(
    venue: RunningVenue, frames: bytes
) -> None:
    async with (
        limited(venue, websocket_refused_per_s=10) as edge,
        edge.client() as other,
        opened(edge) as (writer, protocol),
    ):
        writer.write(frames)
        await eventually(lambda: protocol._is_resting)
        # It was not even read to its end.
        assert protocol._unread
        await assert_served(other)


async def assert_served(client: WsClient) -> None:
    """Fail when a connection gets no answer."""
    assert "time" in await client.call(TIME)
