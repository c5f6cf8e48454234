"""REST as its clients see it: through Envoy, against a whole venue."""

import asyncio
import json
import struct
from decimal import Decimal
from typing import Any

import grpc.aio
import httpx
import pytest
from tradewire.v1 import order_service_pb2

from tests.support.envoy import (
    RestVenue,
    bearer,
    data_directory,
    rest_venue,
    running_rest_venue,
)
from tests.support.failures import failure
from tests.support.rest import (
    BearerToken,
    SignedRequests,
    answer,
    create_hmac_key,
    ed25519_key,
    failure_of_response,
    rest_client,
    signed_headers,
)
from tests.support.trading import limit
from tests.support.venue import Credential, Stubs

__all__ = ["rest_venue"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

HIDDEN = (
    "server",
    "via",
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "grpc-encoding",
)


def order(client_order_id: str, **fields: Any) -> dict[str, Any]:
    """Return a limit order as JSON."""
    return {
        "clientOrderId": client_order_id,
        "symbol": "BTC-USD",
        "side": "SIDE_BUY",
        "type": "ORDER_TYPE_LIMIT",
        "quantity": "1",
        "price": "100",
        **fields,
    }


def no_leaks(response: httpx.Response) -> None:
    """Hold the headers of an answer against what is nobody's business."""
    for name in response.headers:
        assert name not in HIDDEN, name
        assert not name.startswith(("x-envoy", "x-tradewire")), name
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-request-id"]


# --- what a client that was written for grpc-gateway expects --------------------------------------


async def test_a_unary_answer_is_as_grpc_gateway_writes_it(rest_venue: RestVenue) -> None:
    async with rest_client(rest_venue.url, BearerToken(rest_venue.alice.token)) as client:
        response = await client.post("/v1/orders", json=order("gw-1"))
    no_leaks(response)
    assert response.headers["content-type"] == "application/json"
    assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= set(response.headers)
    placed = response.json()["order"]
    # lowerCamelCase, 64 bits as text, enum values by name, times as text.
    assert placed["clientOrderId"] == "gw-1"
    assert placed["orderId"] == str(int(placed["orderId"]))
    assert placed["status"] == "ORDER_STATUS_NEW"
    assert placed["createTime"].endswith("Z")
    # Defaults are printed (EmitUnpopulated).
    assert placed["originalClientOrderId"] == ""
    assert placed["postOnly"] == "POST_ONLY_UNSPECIFIED"
    assert placed["cancelOnDisconnect"] is False


async def test_a_unary_error_is_as_grpc_gateway_writes_it(rest_venue: RestVenue) -> None:
    async with rest_client(rest_venue.url, BearerToken(rest_venue.alice.token)) as client:
        missing = await client.get("/v1/orders/client/nobody")
        unknown = await client.post("/v1/orders", json=order("gw-2", symbol="XRP-USD"))
    for response, code, reason in (
        (missing, 5, "ORDER_NOT_FOUND"),
        (unknown, 5, "INSTRUMENT_NOT_FOUND"),
    ):
        no_leaks(response)
        assert set(response.json()) == {"code", "message", "details"}
        assert response.json()["code"] == code
        info = response.json()["details"][0]
        assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
        assert info["domain"] == "tradewire"
        assert failure_of_response(response).reason == reason


async def test_names_may_be_written_both_ways(rest_venue: RestVenue) -> None:
    snake = {"client_order_id": "names-1", "symbol": "BTC-USD", "side": "SIDE_BUY"}
    snake |= {"type": "ORDER_TYPE_LIMIT", "quantity": "1", "price": "100"}
    async with rest_client(rest_venue.url, BearerToken(rest_venue.alice.token)) as client:
        placed = answer(
            await client.post("/v1/orders", json=snake), order_service_pb2.PlaceOrderResponse
        )
        for name in ("pageSize", "page_size"):
            listed = await client.get("/v1/orders", params={name: 1})
            assert len(listed.json()["orders"]) == 1
    assert placed.order.client_order_id == "names-1"


async def test_rest_and_grpc_see_the_same_order_error_and_sequence(rest_venue: RestVenue) -> None:
    metadata = rest_venue.alice.metadata
    async with (
        rest_client(rest_venue.url, BearerToken(rest_venue.alice.token)) as client,
        rest_venue.venue.connect() as channel,
    ):
        placed = answer(
            await client.post("/v1/orders", json=order("same-1")),
            order_service_pb2.PlaceOrderResponse,
        )
        orders = Stubs(channel).orders
        # A repeat of it over gRPC gets the first answer.
        again = await orders.PlaceOrder(limit("same-1"), metadata=metadata, timeout=10)
        assert again == placed
        other = await failure(
            orders.PlaceOrder(limit("same-1", quantity="2"), metadata=metadata, timeout=10)
        )
        refused = await client.post("/v1/orders", json=order("same-1", quantity="2"))
        assert failure_of_response(refused) == other
        assert other.reason == "CLIENT_ORDER_ID_REUSED"


# --- signatures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ed25519", "hmac"])
async def test_signed_requests_are_taken_as_they_were_sent(
    rest_venue: RestVenue, algorithm: str
) -> None:
    key = ed25519_key(rest_venue.alice)
    if algorithm == "hmac":
        key = await create_hmac_key(rest_venue.venue, "alice")
    identity = f"{algorithm}:1"
    async with rest_client(rest_venue.url, SignedRequests(key)) as client:
        placed = await client.post("/v1/orders", json=order(identity))
        assert placed.json()["order"]["account"] == "alice"
        for path in (
            f"/v1/orders/client/{algorithm}%3A1",
            f"/v1/orders/client/{algorithm}%3a1",
            "/v1/orders?clientOrderIdPrefix&pageSize=%31"[:10],
            "/v1/orders?pageSize=%31&",
        ):
            response = await client.send(client.build_request("GET", path))
            assert response.status_code == 200, f"{path}: {response.text}"


async def test_a_signature_does_not_cover_another_request(rest_venue: RestVenue) -> None:
    key = ed25519_key(rest_venue.alice)
    body = b'{"symbol":"BTC-USD"}'
    headers = {**signed_headers(key, "POST", "/v1/orders:cancelAll", body)}
    async with rest_client(rest_venue.url) as client:
        for method, path, content in (
            ("POST", "/v1/orders:cancelAll", b'{"symbol":"ETH-USD"}'),
            ("POST", "/v1/orders:cancelAll", body + b" "),
        ):
            response = await client.request(method, path, content=content, headers=headers)
            assert failure_of_response(response).reason == "SIGNATURE_INVALID"
        first = await client.post("/v1/orders:cancelAll", content=body, headers=headers)
        assert first.status_code == 200, first.text
        replayed = await client.post("/v1/orders:cancelAll", content=body, headers=headers)
    assert failure_of_response(replayed).reason == "NONCE_REUSED"


# --- what clients cannot say of themselves --------------------------------------------------------


async def _sign_in(rest: RestVenue, addresses: tuple[str, ...]) -> Credential:
    return await rest.venue.create_key("alice", addresses=addresses)


SPOOFED = {
    "x-tradewire-client-address": "10.9.9.9",
    "x-forwarded-for": "10.9.9.9",
    "x-real-ip": "10.9.9.9",
    "x-envoy-external-address": "10.9.9.9",
    "forwarded": "for=10.9.9.9",
}


async def test_the_address_of_a_client_is_that_of_its_connection(rest_venue: RestVenue) -> None:
    elsewhere = await _sign_in(rest_venue, ("10.9.9.9/32",))
    here = await _sign_in(rest_venue, ("127.0.0.1/32",))
    async with rest_client(rest_venue.url) as client:
        for credential, status in ((elsewhere, 403), (here, 200)):
            headers = signed_headers(ed25519_key(credential), "GET", "/v1/balances", b"")
            response = await client.get("/v1/balances", headers=headers | SPOOFED)
            assert response.status_code == status, response.text
            if status == 403:
                assert failure_of_response(response).reason == "ADDRESS_NOT_ALLOWED"


async def test_what_only_envoy_may_say_has_no_effect(rest_venue: RestVenue) -> None:
    spoofed = {
        "x-tradewire-handle": "made-up",
        "x-tradewire-account": "bob",
        "x-envoy-original-path": "/v1/time",
        "x-envoy-original-method": "GET",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-max-retries": "9",
        "x-envoy-auth-partial-body": "true",
        "grpc-timeout": "1n",
        "grpc-encoding": "gzip",
        "grpc-status": "0",
        "x-user-bin": "not base64!",
    }
    async with rest_client(rest_venue.url) as client:
        public = await client.get("/v1/time", headers=spoofed)
        assert public.status_code == 200, public.text
        private = await client.get("/v1/balances", headers=spoofed)
        assert failure_of_response(private).reason == "UNAUTHENTICATED"
        own = await client.get("/v1/account", headers=spoofed | bearer(rest_venue.alice))
        assert own.json()["account"]["account"] == "alice"


async def test_a_method_of_grpc_is_no_path_of_rest(rest_venue: RestVenue) -> None:
    spoofed = {"x-envoy-original-path": "/v1/account"} | bearer(rest_venue.alice)
    async with rest_client(rest_venue.url) as client:
        for service, method in (
            ("OrderService", "CancelAllOrders"),
            ("AdminService", "GetVenue"),
            ("AccountService", "GetAccount"),
        ):
            response = await client.post(
                f"/tradewire.v1.{service}/{method}", json={}, headers=spoofed
            )
            assert failure_of_response(response).reason == "METHOD_NOT_FOUND"


@pytest.mark.parametrize(
    "kind", ["application/grpc", "application/grpc+json", "application/grpc-web"]
)
async def test_a_path_of_rest_is_no_method_of_grpc(rest_venue: RestVenue, kind: str) -> None:
    """The transcoder lets pass what says that it is gRPC: such a request must end before it."""
    headers = bearer(rest_venue.alice) | {"content-type": kind}
    async with rest_client(rest_venue.url) as client:
        response = await client.post("/v1/orders:cancelAll", content=b"{}", headers=headers)
    assert response.content == b""
    if kind.endswith("web"):
        # Its clients make a code of the status of HTTP.
        assert response.status_code == 404
    else:
        assert response.headers["grpc-status"] == str(grpc.StatusCode.UNIMPLEMENTED.value[0])


# --- paths and methods ----------------------------------------------------------------------------


async def test_ids_with_colons_are_found(rest_venue: RestVenue) -> None:
    async with rest_client(rest_venue.url, BearerToken(rest_venue.alice.token)) as client:
        for client_order_id in ("a:1", "a:b:c", "a:stream", "x-1:cancelAll"):
            await client.post("/v1/orders", json=order(client_order_id))
            escaped = client_order_id.replace(":", "%3A")
            response = await client.get(f"/v1/orders/client/{escaped}")
            assert response.json()["order"]["clientOrderId"] == client_order_id
        # Unescaped they are, too, unless the last part is a verb of the contract.
        for client_order_id in ("a:1", "a:b:c"):
            response = await client.get(f"/v1/orders/client/{client_order_id}")
            assert response.json()["order"]["clientOrderId"] == client_order_id
        verb = await client.get("/v1/orders/client/a:stream")
        assert failure_of_response(verb).reason in ("METHOD_NOT_FOUND", "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/orders", {"GET", "POST"}),
        ("HEAD", "/v1/time", {"GET"}),
        ("OPTIONS", "/v1/orders", {"GET", "POST"}),
        ("TRACE", "/v1/time", {"GET"}),
    ],
)
async def test_another_method_of_a_path_is_told(
    rest_venue: RestVenue, method: str, path: str, allow: set[str]
) -> None:
    async with rest_client(rest_venue.url, BearerToken(rest_venue.alice.token)) as client:
        response = await client.request(method, path)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == allow
    if method != "HEAD":
        assert failure_of_response(response).reason == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "MESSAGE_MALFORMED"),
        ("[]", "MESSAGE_MALFORMED"),
        ('{"postOnyl": 1}', "FIELD_INVALID"),
        ('{"symbol": "BTC-USD", "symbol": "ETH-USD"}', "FIELD_INVALID"),
        ('{"side": "NORTH"}', "FIELD_INVALID"),
        ('{"clientOrderId": 5}', "FIELD_INVALID"),
        ('{"orderId": null, "extra": {"a": []}}', "FIELD_INVALID"),
        (" " * (300 << 10), "REQUEST_TOO_LARGE"),
    ],
)
async def test_a_wrong_body_is_refused_with_the_reason(
    rest_venue: RestVenue, body: str, reason: str
) -> None:
    async with rest_client(rest_venue.url, BearerToken(rest_venue.alice.token)) as client:
        response = await client.post("/v1/orders", content=body)
    found = failure_of_response(response)
    assert (found.reason, found.outcome) == (reason, "refused")


async def test_lists_larger_than_envoys_buffers_come_whole(rest_venue: RestVenue) -> None:
    async with rest_client(rest_venue.url, BearerToken(rest_venue.bob.token)) as client:
        orders = [order(f"bulk-{number}", price=str(50 + number % 40)) for number in range(100)]
        for _ in range(2):
            placed = await client.post("/v1/orders:batchPlace", json={"orders": orders})
            assert placed.status_code == 200, placed.text
        listed = await client.get("/v1/orders", params={"pageSize": 1000})
    assert len(listed.content) > 32 << 10
    assert len(listed.json()["orders"]) == 100
    assert sum(Decimal(item["quantity"]) for item in listed.json()["orders"]) == 100


# --- browsers -------------------------------------------------------------------------------------

PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


async def test_pages_of_this_machine_may_call(rest_venue: RestVenue) -> None:
    page = {"origin": "http://localhost:3000"}
    async with rest_client(rest_venue.url) as client:
        preflight = await client.options("/v1/orders", headers=page | PREFLIGHT)
        called = await client.get("/v1/time", headers=page)
        refused = await client.get("/v1/balances", headers=page)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == page["origin"]
    assert "POST" in preflight.headers["access-control-allow-methods"]
    allowed = preflight.headers["access-control-allow-headers"]
    assert {"authorization", "x-api-signature", "x-api-nonce"} <= set(allowed.split(", "))
    assert "access-control-allow-credentials" not in preflight.headers
    for response in (called, refused):
        # An error is as readable to a page as an answer.
        assert response.headers["access-control-allow-origin"] == page["origin"]
        exposed = set(response.headers["access-control-expose-headers"].split(", "))
        assert {"ratelimit-remaining", "retry-after", "x-request-id"} <= exposed


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1x"]
)
async def test_pages_of_others_may_not(rest_venue: RestVenue, origin: str) -> None:
    async with rest_client(rest_venue.url) as client:
        preflight = await client.options("/v1/orders", headers={"origin": origin} | PREFLIGHT)
        called = await client.get("/v1/time", headers={"origin": origin})
    assert preflight.status_code == 405
    for response in (preflight, called):
        assert "access-control-allow-origin" not in response.headers


async def test_named_origins_are_the_only_ones() -> None:
    async with data_directory() as path:
        origins = ["https://terminal.example"]
        async with (
            running_rest_venue(path, cors_origins=origins) as rest,
            rest_client(rest.url) as client,
        ):
            for origin, allowed in ((origins[0], origins[0]), ("http://localhost:3000", None)):
                response = await client.get("/v1/time", headers={"origin": origin})
                assert response.headers.get("access-control-allow-origin") == allowed


# --- HTTP edge ------------------------------------------------------------------------------------


async def test_pages_and_health_are_behind_envoy_too() -> None:
    async with data_directory() as path:
        async with (
            running_rest_venue(path, pages=True) as rest,
            rest_client(rest.url) as client,
        ):
            health = await client.get("/healthz")
            docs = await client.get("/docs", headers={"accept": "text/html"})
            socket = await client.get("/v1/ws")
            root = await client.get("/")
        assert health.status_code == 200
        assert docs.status_code == 200
        assert docs.headers["content-type"].startswith("text/html")
        assert root.headers["location"] == "/docs"
        # It is the HTTP edge that answers.
        assert socket.status_code == 426
        assert socket.json()["details"][0]["reason"] == "METHOD_NOT_ALLOWED"
        assert "server" not in docs.headers


async def test_a_websocket_is_passed_on_without_checks_and_without_end() -> None:
    asked = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"GET /v1/ws?ticket=1 HTTP/1.1\r\n" in head
        assert b"upgrade: websocket" in head.lower()
        assert b"x-tradewire-client-address: 127.0.0.1\r\n" in head
        asked.set()
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n")
        writer.write(b"connection: upgrade\r\n\r\n")
        while part := await reader.read(100):
            writer.write(part)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    http_port = server.sockets[0].getsockname()[1]
    async with (
        data_directory() as path,
        running_rest_venue(
            path, http_port=http_port, stream_idle_timeout_s=0.3, request_bytes_timeout_s=0.3
        ) as rest,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", rest.envoy.port)
        writer.write(
            b"GET /v1/ws?ticket=1 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n"
            b"upgrade: websocket\r\nsec-websocket-version: 13\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"x-tradewire-client-address: 10.9.9.9\r\n\r\n"
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        # Longer than any timeout that would apply.
        await asyncio.sleep(1)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        writer.close()
    server.close()
    await server.wait_closed()
    assert asked.is_set()


# --- after the body -------------------------------------------------------------------------------


def _header(name: str, value: str) -> bytes:
    """Return a header as HTTP/2 has it in its plainest form (HPACK, literal, not indexed)."""

    def text(content: str) -> bytes:
        size = len(content)
        if size < 127:
            return bytes([size]) + content.encode()
        # Seven bits of the length at a time, the low ones first.
        size -= 127
        return bytes([127, size & 127 | 128, size >> 7]) + content.encode()

    return b"\x00" + text(name) + text(value)


def _frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


async def _with_trailers(
    port: int, headers: dict[str, str], body: bytes, trailers: dict[str, str]
) -> bytes:
    """Send a request with headers after its body, as HTTP/2 allows, and return what comes."""
    settings, data, header = 4, 0, 1
    ack, end, whole = 1, 1, 4
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(settings, 0, 0))
    writer.write(_frame(header, whole, 1, b"".join(map(_header, headers, headers.values()))))
    writer.write(_frame(data, 0, 1, body))
    content = b"".join(map(_header, trailers, trailers.values()))
    writer.write(_frame(header, whole | end, 1, content))
    answer = b""
    ended = False
    while not ended:
        head = await reader.readexactly(9)
        content = await reader.readexactly(int.from_bytes(head[:3], "big"))
        kind, flags = head[3], head[4]
        if kind == data:
            answer += content
        if kind == settings and not flags & ack:
            writer.write(_frame(settings, ack, 0))
        ended = kind in (data, header) and bool(flags & end)
    writer.close()
    return answer


async def test_what_comes_after_the_body_is_not_taken_for_headers(rest_venue: RestVenue) -> None:
    """Nobody has checked it, and the venue's own parser would take it for headers of the call."""
    body = b'{"symbol":"BTC-USD"}'
    path = "/v1/orders:cancelAll"
    elsewhere = await rest_venue.venue.create_key("alice", addresses=("10.9.9.9/32",))
    for credential, expected in ((rest_venue.alice, None), (elsewhere, "ADDRESS_NOT_ALLOWED")):
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "venue",
            **signed_headers(ed25519_key(credential), "POST", path, body),
        }
        trailers = {
            "x-tradewire-client-address": "10.9.9.9",
            "x-tradewire-handle": "made-up",
            "authorization": f"Bearer {rest_venue.bob.token}",
            "grpc-timeout": "1n",
        }
        answer_ = json.loads(await _with_trailers(rest_venue.envoy.port, headers, body, trailers))
        if expected is None:
            assert "canceledCount" in answer_, answer_
        else:
            assert answer_["message"].startswith(expected)
