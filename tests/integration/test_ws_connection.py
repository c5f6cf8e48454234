"""A WebSocket connection: what is refused, what ends it, and with which words."""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tradewire_gateway.ws import WebSocketLimits
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Opcode

from tests.integration.conftest import Complaints
from tests.support.venue import RunningVenue
from tests.support.waiting import eventually
from tests.support.ws import (
    OWN_ORIGIN,
    GatewayEdge,
    RpcError,
    WsClient,
    gateway_beside,
    order,
    reason_of,
    request,
)

TIME = "session.time"
MARKET = {"symbols": ["BTC-USD"]}


@pytest.fixture
async def edge(venue: RunningVenue) -> AsyncIterator[GatewayEdge]:
    """Run a gateway in the venue's process."""
    async with gateway_beside(venue) as edge:
        yield edge


@contextlib.asynccontextmanager
async def limited(venue: RunningVenue, **limits: Any) -> AsyncIterator[GatewayEdge]:
    """Run a gateway with other limits."""
    async with gateway_beside(venue, limits=WebSocketLimits(**limits)) as edge:
        yield edge


async def refused(edge: GatewayEdge, **options: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the error with which an upgrade is refused."""
    url = options.pop("url", edge.url)
    with pytest.raises(InvalidStatus) as caught:
        async with WsClient.connect(url, **options):
            pass
    response = caught.value.response
    assert response.headers["content-type"] == "application/json"
    return response.status_code, json.loads(response.body or b"")


# --- the upgrade ---


async def test_hostile_origins(edge: GatewayEdge) -> None:
    hostile = "null", "https://evil.example", "http://console.example", f"{OWN_ORIGIN}.evil.example"
    for origin in (*hostile, ""):
        status, error = await refused(edge, origin=origin)
        assert (status, reason_of(error)) == (403, "ORIGIN_NOT_ALLOWED"), origin


async def test_two_origins(edge: GatewayEdge) -> None:
    head = (
        "GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==\r\n"
        f"Origin: {OWN_ORIGIN}\r\nOrigin: https://evil.example\r\n\r\n"
    )
    assert b"400 Bad Request" in await raw(edge, head.encode())


async def test_own_pages_and_programs_are_let_in(edge: GatewayEdge) -> None:
    for origin in (OWN_ORIGIN, None):
        async with WsClient.connect(edge.url, origin=origin) as client:
            assert "time" in await client.call(TIME)


async def test_other_paths_are_not_there(edge: GatewayEdge) -> None:
    for path in ("/", "/v1/ws/", "/v1/ws2", "/docs"):
        status, error = await refused(edge, url=f"ws://{edge.address}{path}")
        assert (status, reason_of(error)) == (404, "METHOD_NOT_FOUND")


async def test_pages_are_on_the_same_port(edge: GatewayEdge) -> None:
    async with httpx.AsyncClient(base_url=f"http://{edge.address}") as http:
        assert (await http.get("/healthz")).json() == {"status": "SERVING"}


NO_UPGRADES = {
    "Sec-WebSocket-Version: 12": 400,
    "Sec-WebSocket-Key: short": 400,
    "Sec-WebSocket-Key: ": 400,
    "Upgrade: h2c": 426,
}


async def test_what_is_no_upgrade(edge: GatewayEdge) -> None:
    for changed, status in NO_UPGRADES.items():
        lines = {
            "Host": "x",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "MDAwMDAwMDAwMDAwMDAwMA==",
        }
        name, _, value = changed.partition(": ")
        lines[name] = value
        fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        answer = await raw(edge, f"GET /v1/ws HTTP/1.1\r\n{fields}\r\n".encode())
        assert f" {status} ".encode() in answer.splitlines()[0], changed


async def test_connections_of_an_address_are_counted(venue: RunningVenue) -> None:
    async with (
        limited(venue, websocket_address_connections_max=2) as edge,
        edge.client_at("192.0.2.1"),
        edge.client_at("192.0.2.1"),
    ):
        with pytest.raises(InvalidStatus) as caught:
            async with edge.client_at("192.0.2.1"):
                pass
        assert caught.value.response.status_code == 429
        assert reason_of(json.loads(caught.value.response.body or b"")) == "CONNECTION_LIMIT"
        # Others are not concerned, and those at the port are where they are.
        async with edge.client_at("192.0.2.2") as client, edge.client() as local:
            assert "time" in await client.call(TIME)
            assert "time" in await local.call(TIME)


async def test_place_of_a_connection_is_free_when_it_has_ended(venue: RunningVenue) -> None:
    async with limited(venue, websocket_connections_max=1) as edge:
        for _ in range(3):
            async with edge.client() as client:
                await client.call(TIME)
            # Also one that was refused.
            await refused(edge, origin="null")
            await eventually(lambda: not edge.gateway.addresses.connections)


async def test_nobody_at_the_port_names_another_address(venue: RunningVenue) -> None:
    spoofed = {"x-tradewire-client-address": "192.0.2.9", "x-forwarded-for": "192.0.2.9"}
    async with (
        limited(venue, websocket_address_connections_max=1) as edge,
        edge.client(headers=spoofed),
    ):
        status, _ = await refused(edge, headers={"x-tradewire-client-address": "192.0.2.8"})
        assert status == 429


# --- frames ---

MALFORMED = [
    ("", -32700, "MESSAGE_MALFORMED"),
    ("{", -32700, "MESSAGE_MALFORMED"),
    ("[" * 33 + "]" * 33, -32700, "MESSAGE_MALFORMED"),
    ("[]", -32600, "MESSAGE_MALFORMED"),
    ("7", -32600, "MESSAGE_MALFORMED"),
    ('{"jsonrpc":"2.0","id":1}', -32600, "MESSAGE_MALFORMED"),
    ('{"jsonrpc":"2.0","id":1,"id":2,"method":"session.time"}', -32600, "MESSAGE_MALFORMED"),
    ('{"jsonrpc":"2.0","id":1,"method":"no.such"}', -32601, "METHOD_NOT_FOUND"),
    ('{"jsonrpc":"2.0","id":1,"method":"session.time","params":[]}', 3, "MESSAGE_MALFORMED"),
    ('{"jsonrpc":"2.0","id":1,"method":"session.time","params":{"a":1}}', 3, "FIELD_INVALID"),
    ('{"jsonrpc":"2.0","id":1,"method":"subscription.cancel","params":{}}', 5, "SUBSCRIPTION"),
    ('{"jsonrpc":"2.0","id":1,"method":"subscription.send","params":{}}', 3, "FIELD_INVALID"),
    (
        (
            '{"jsonrpc":"2.0","id":1,"method":"subscription.send",'
            '"params":{"subscription":1,"message":{}}}'
        ),
        5,
        "SUBSCRIPTION_NOT_FOUND",
    ),
]


async def test_frames_that_are_refused(edge: GatewayEdge) -> None:
    async with edge.client() as client:
        for text, code, reason in MALFORMED:
            answer = await client.exchange(text)
            assert answer["error"]["code"] == code, text
            assert reason_of(answer["error"]["data"]).startswith(reason), text
            # And the connection goes on.
            assert "time" in await client.call(TIME)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("orders.plce", ": did you mean orders.place?"),
        ("order.place", ": did you mean orders.place?"),
        ("market_data.stream", ": did you mean marketData.stream?"),
        ("subscription.cancle", ": did you mean subscription.cancel?"),
        ("no.such", ""),
        ("orders.place" * 100, ""),
    ],
)
async def test_a_method_that_does_not_exist_says_what_was_probably_meant(
    edge: GatewayEdge, wrong: str, meant: str
) -> None:
    async with edge.client() as client:
        answer = await client.exchange(request(wrong))
    said = answer["error"]["message"].removeprefix("METHOD_NOT_FOUND: ")
    assert said == f"there is no method {wrong[:64]}{meant}"


async def test_batch(edge: GatewayEdge) -> None:
    async with edge.client() as client:
        answers = await client.exchange(
            [
                request(TIME, number="a"),
                request("no.such", number="b"),
                1,
                {"jsonrpc": "2.0", "method": TIME},
            ]
        )
        found = {answer["id"]: answer.get("error", {}).get("code") for answer in answers}
        assert found == {"a": None, "b": -32601, None: -32600}
        too_many = await client.exchange([request(TIME)] * 257)
        assert too_many["error"]["code"] == -32600
        many = await client.exchange([request(TIME, number=f"n{n}") for n in range(256)])
        assert {answer["id"] for answer in many} == {f"n{n}" for n in range(256)}


async def test_notifications_are_done_and_not_answered(edge: GatewayEdge) -> None:
    async with edge.client() as client:
        await client.send({"jsonrpc": "2.0", "method": "connection.configure", "params": {}})
        await client.send({"jsonrpc": "2.0", "method": "no.such"})
        await client.send([{"jsonrpc": "2.0", "method": TIME}])
        assert "time" in await client.call(TIME)
        assert not client.notifications


async def test_too_many_malformed_frames_end_the_connection(edge: GatewayEdge) -> None:
    async with edge.client() as client:
        for _ in range(21):
            await client.send("nope")
        closing = await client.notified("connection.closing")
        assert reason_of(closing["status"]) == "MESSAGE_MALFORMED"
        assert await client.closed() == (1008, "MESSAGE_MALFORMED")


async def test_message_that_is_too_large(edge: GatewayEdge) -> None:
    for fragments in (1, 7):
        async with edge.client() as client:
            part = "x" * (262_145 // fragments + 1)
            with contextlib.suppress(ConnectionClosed):
                await client.socket.send(part if fragments == 1 else iter([part] * fragments))
            closing = await client.notified("connection.closing")
            assert reason_of(closing["status"]) == "REQUEST_TOO_LARGE"
            assert await client.closed() == (1009, "REQUEST_TOO_LARGE")
    # And one that is so when it is unpacked.
    async with edge.client(compression="deflate") as client:
        await client.socket.send('"' + " " * 4_000_000 + '"')
        assert await client.closed() == (1009, "REQUEST_TOO_LARGE")


async def test_message_as_large_as_may_be_in_fragments(edge: GatewayEdge) -> None:
    text = json.dumps(request(TIME, number=1))
    text += " " * (262_144 - len(text))
    async with edge.client() as client:
        answer = client._asked[1] = asyncio.get_running_loop().create_future()
        await client.socket.send(iter([text[:10], "", text[10:5_000], text[5_000:]]))
        assert "time" in await asyncio.wait_for(answer, 10)


async def test_binary_frame(edge: GatewayEdge) -> None:
    async with edge.client() as client:
        await client.socket.send(b"{}")
        closing = await client.notified("connection.closing")
        assert reason_of(closing["status"]) == "MESSAGE_MALFORMED"
        assert await client.closed() == (1003, "MESSAGE_MALFORMED")


FRAMES = {
    "not masked": b"\x81\x02{}",
    "reserved bit": b"\xc1\x80\0\0\0\0",
    "reserved opcode": b"\x83\x80\0\0\0\0",
    "fragmented ping": b"\x09\x80\0\0\0\0",
    "long ping": b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126,
    "continuation of nothing": b"\x80\x80\0\0\0\0",
    "text within a text": b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0",
    "close of one byte": b"\x88\x81\0\0\0\0\x01",
    "close with a bad code": b"\x88\x82\0\0\0\0\x00\x01",
}


async def test_what_is_no_websocket(edge: GatewayEdge) -> None:
    for what, frame in FRAMES.items():
        frames = list(server_frames(await raw(edge, upgrade(), frame)))
        opcode, payload = frames[-1]
        assert opcode == Opcode.CLOSE, what
        assert struct.unpack("!H", payload[:2]) == (1002,), what
        closing = json.loads(frames[-2][1])
        assert closing["method"] == "connection.closing", what
        assert reason_of(closing["params"]["status"]) == "MESSAGE_MALFORMED", what
    # Not even text.
    frames = list(server_frames(await raw(edge, upgrade(), b"\x81\x82\0\0\0\0\xff\xfe")))
    assert struct.unpack("!H", frames[-1][1][:2]) == (1007,)


async def test_bytes_that_come_one_by_one(edge: GatewayEdge) -> None:
    frame = b"\x89\x83\0\0\0\0abc" + b"\x88\x82\0\0\0\0\x03\xe8"
    reader, writer = await asyncio.open_connection(*edge.address.split(":"))
    writer.write(upgrade())
    await reader.readuntil(b"\r\n\r\n")
    for byte in frame:
        writer.write(bytes((byte,)))
        await writer.drain()
    frames = list(server_frames(await asyncio.wait_for(reader.read(), 10)))
    writer.close()
    assert frames == [(Opcode.PONG, b"abc"), (Opcode.CLOSE, b"\x03\xe8")]


async def test_compression_is_used_when_it_is_offered(edge: GatewayEdge) -> None:
    async with edge.client(compression="deflate") as client:
        extensions = client.socket.response.headers["sec-websocket-extensions"]
        assert extensions.startswith("permessage-deflate")
        for _ in range(3):
            assert "time" in await client.call(TIME)
    async with edge.client() as client:
        assert "sec-websocket-extensions" not in client.socket.response.headers


# --- limits ---


async def test_more_requests_than_may_be_unanswered_are_not_read(venue: RunningVenue) -> None:
    async with (
        limited(venue, websocket_unanswered_max=8, websocket_calls_max=2) as edge,
        edge.client(venue.credentials["alice"]) as client,
    ):
        most = 0
        asked = [client.ask(TIME) for _ in range(300)]
        while not all(answer.done() for answer in asked):
            (protocol,) = edge.gateway._open
            connection = protocol.connection
            assert connection is not None
            most = max(most, connection._unanswered)
            await asyncio.sleep(0)
        assert len({answer.result()["time"] for answer in asked}) > 1
        assert most >= 8


async def test_what_the_gateway_refuses_is_paid_for(venue: RunningVenue) -> None:
    async with limited(venue, websocket_refused_per_s=10) as edge, edge.client() as client:
        started = asyncio.get_running_loop().time()
        for _ in range(60):
            with pytest.raises(RpcError):
                await client.call("no.such")
        # Fifty at once, then ten a second.
        assert asyncio.get_running_loop().time() - started >= 0.8


async def test_subscriptions_of_a_connection_are_counted(venue: RunningVenue) -> None:
    async with limited(venue, websocket_subscriptions_max=2) as edge, edge.client() as client:
        first, _ = [await client.subscribe("marketData.stream", MARKET) for _ in range(2)]
        with pytest.raises(RpcError) as caught:
            await client.subscribe("marketData.stream", MARKET)
        assert caught.value.reason == "STREAM_LIMIT"
        await client.call("subscription.cancel", subscription=first)
        await client.notified("subscription.closed")
        assert await client.subscribe("marketData.stream", MARKET) == 3


# --- time ---


async def test_client_that_answers_no_ping_is_closed(venue: RunningVenue) -> None:
    limits = {"websocket_ping_s": 0.1, "websocket_idle_s": 1.2}
    async with limited(venue, **limits) as edge, edge.client() as living:
        data = await raw(edge, upgrade())
        frames = list(server_frames(data))
        assert frames[0][0] == Opcode.PING
        closing = json.loads(frames[-2][1])["params"]
        assert reason_of(closing["status"]) == "CONNECTION_IDLE"
        assert frames[-1] == (Opcode.CLOSE, struct.pack("!H", 1001) + b"CONNECTION_IDLE")
        # Who answers stays.
        assert "time" in await living.call(TIME)


async def test_old_connection_is_told_and_closed(venue: RunningVenue) -> None:
    limits = {"websocket_lifetime_s": 2.0, "websocket_notice_s": 1.5}
    async with limited(venue, **limits) as edge, edge.client() as client:
        closing = await client.notified("connection.closing")
        assert reason_of(closing["status"]) == "STREAM_LIFETIME"
        assert "time" in await client.call(TIME)
        assert await client.closed() == (1001, "STREAM_LIFETIME")
        assert len(client.notifications) == 1


async def test_drain_is_announced(venue: RunningVenue) -> None:
    async with (
        gateway_beside(venue, notice_s=0.5) as edge,
        edge.client(venue.credentials["alice"]) as client,
    ):
        draining = asyncio.create_task(edge.gateway.drain())
        closing = await client.notified("connection.closing")
        assert reason_of(closing["status"]) == "SERVER_DRAINING"
        assert 500 <= int(closing["retryAfterMs"]) <= 2_500
        # There is time to finish.
        assert (await client.call("orders.place", order("last")))["order"]["orderId"]
        status, error = await refused(edge)
        assert (status, reason_of(error)) == (503, "NOT_SERVING")
        assert await client.closed() == (1001, "SERVER_DRAINING")
        assert [each["method"] for each in client.notifications] == ["connection.closing"]
        await draining


async def test_meters(edge: GatewayEdge, complaints: Complaints) -> None:
    meters = edge.gateway.meters

    def value(name: str, **labels: str) -> float:
        return meters.registry.get_sample_value(f"tradewire_websocket_{name}", labels) or 0

    async with edge.client() as client:
        await client.subscribe("marketData.stream", MARKET)
        with pytest.raises(RpcError):
            await client.call("no.such")
        assert (value("connections"), value("subscriptions"), value("frames_total")) == (1, 1, 2)
        assert value("refused_total", reason="METHOD_NOT_FOUND") == 1
    await refused(edge, origin="null")
    assert value("refused_total", reason="ORIGIN_NOT_ALLOWED") == 1
    await eventually(lambda: not value("connections") and not value("subscriptions"))


# --- helpers ---


def upgrade() -> bytes:
    """Return the head of an upgrade."""
    return (
        b"GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==\r\n\r\n"
    )


async def raw(edge: GatewayEdge, head: bytes, frames: bytes = b"") -> bytes:
    """Send an upgrade, then bytes; return everything that comes after the head of the answer up to
    a close frame, or that head where there is nothing more.
    """
    host, port = edge.address.split(":")
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(head)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        if b" 101 " not in answer:
            return answer
        writer.write(frames)
        data = b""
        async with asyncio.timeout(20):
            while not data or list(server_frames(data))[-1][0] != Opcode.CLOSE:
                more = await reader.read(65_536)
                assert more, "it ended without a close frame"
                data += more
        return data
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def server_frames(data: bytes) -> Any:
    """Yield opcode and payload of a server's frames."""
    position = 0
    while position < len(data):
        opcode, size = data[position] & 0x0F, data[position + 1]
        position += 2
        if size == 126:
            size = int.from_bytes(data[position : position + 2])
            position += 2
        yield Opcode(opcode), data[position : position + size]
        position += size
