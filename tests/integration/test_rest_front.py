"""The two sockets on which the gateway reaches the server, without the gateway: `Front` does what
Envoy does between them, and what an Envoy that is misled could do.
"""

import asyncio
import json
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tradewire.v1 import execution_service_pb2, order_service_pb2, session_service_pb2
from tradewire_contract import Deprecation, find_route, methods
from tradewire_server.app import Application, ListenError, Settings, Tls
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy
from tradewire_server.engine.commands import RevokeKey

from tests.integration import test_lifecycle
from tests.integration.conftest import Complaints
from tests.support.failures import Failure, failure, failure_of_call
from tests.support.rest import SigningKey, ed25519_key, failure_of_response, signed_headers
from tests.support.trading import limit
from tests.support.venue import (
    Clock,
    Credential,
    RunningVenue,
    Stubs,
    running_venue,
    session_request,
)

ADDRESS = "203.0.113.7"
ORDERS = "/tradewire.v1.OrderService/"
HANDLE = "x-tradewire-handle"
MS = 10**6
Metadata = tuple[tuple[str, str], ...]
certificate = test_lifecycle.certificate


@dataclass
class Reply:
    """What came back over `edge.sock`."""

    message: Any
    headers: dict[str, str]


class Front:
    """Envoy, as far as the server can tell."""

    def __init__(
        self, venue: RunningVenue, clock: Clock, http: httpx.AsyncClient, edge: grpc.aio.Channel
    ) -> None:
        self.venue = venue
        self.clock = clock
        self.http = http
        self.edge = edge

    def sign(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        key: SigningKey | None = None,
        late_ms: int = 0,
        **changes: str,
    ) -> dict[str, str]:
        """Return the headers of a signed request of alice."""
        key = key or ed25519_key(self.venue.credentials["alice"])
        timestamp_ms = self.clock() // MS - late_ms
        return signed_headers(key, method, target, body, timestamp_ms=timestamp_ms, **changes)

    async def check(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        address: str = ADDRESS,
    ) -> httpx.Response:
        """Ask whether a request may pass."""
        sent = {**(headers or {}), "x-tradewire-client-address": address}
        request = self.http.build_request(method, target, content=body, headers=sent)
        # As it is, down to an empty query.
        request.extensions["target"] = target.encode()
        return await self.http.send(request)

    async def refused(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Failure:
        """Ask for what has to be refused."""
        return failure_of_response(await self.check(method, target, body, headers))

    async def handle(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> str:
        """Ask for what has to pass, and return the handle."""
        response = await self.check(method, target, body, headers)
        assert response.status_code == 200, response.text
        assert response.content == b""
        return response.headers[HANDLE]

    def call(self, path: str, request: Message, metadata: Metadata) -> Any:
        """Call a method as the transcoder does."""
        method = methods()[path]
        edge: Any = self.edge
        return edge.unary_unary(
            path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=message_factory.GetMessageClass(method.response).FromString,
        )(
            request,
            metadata=(
                ("x-envoy-original-path", "/v1/as-it-was-sent"),
                ("x-tradewire-client-address", ADDRESS),
                *metadata,
            ),
            timeout=10,
        )

    async def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        """Send a request through both sockets."""
        handle = await self.handle(method, target, body, headers)
        match = find_route(method, target.partition("?")[0])
        assert match is not None
        request = message_factory.GetMessageClass(match.route.method.request)()
        json_format.Parse(body or b"{}", request)
        for name, value in match.variables.items():
            setattr(request, name, value)
        call = self.call(
            match.route.method.path, request, ((HANDLE, handle), *(headers or {}).items())
        )
        message = await call
        return Reply(message, {k: str(v) for k, v in await call.initial_metadata()})


@asynccontextmanager
async def front_of(venue: RunningVenue, clock: Clock) -> AsyncIterator[Front]:
    sockets = venue.app.sockets
    transport = httpx.AsyncHTTPTransport(uds=str(sockets.authz))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://authz", trust_env=False) as http,
        grpc.aio.insecure_channel(f"unix:{sockets.edge}") as edge,
    ):
        yield Front(venue, clock, http, edge)


@pytest.fixture
async def front(venue: RunningVenue, clock: Clock) -> AsyncIterator[Front]:
    async with front_of(venue, clock) as front:
        yield front


def order(client_order_id: str = "r-1") -> bytes:
    return json.dumps(json_format.MessageToDict(limit(client_order_id))).encode()


def bearer(front: Front, account: str = "alice") -> dict[str, str]:
    return {"authorization": f"Bearer {front.venue.credentials[account].token}"}


# --- what passes ----------------------------------------------------------------------------------


async def test_a_signed_order_is_placed_for_its_signer(front: Front) -> None:
    body = order()
    reply = await front.send("POST", "/v1/orders", body, front.sign("POST", "/v1/orders", body))
    assert reply.message.order.client_order_id == "r-1"
    assert reply.message.order.account == "alice"
    # The edge takes what it costs from the key of the signer.
    assert int(reply.headers["ratelimit-remaining"]) < int(reply.headers["ratelimit-limit"])


async def test_an_order_with_a_token_too(front: Front) -> None:
    reply = await front.send("POST", "/v1/orders", order(), bearer(front, "bob"))
    assert reply.message.order.account == "bob"


async def test_the_public_needs_no_credential(front: Front) -> None:
    reply = await front.send("GET", "/v1/time")
    assert reply.message.environment == "sandbox"
    reply = await front.send("GET", "/.well-known/jwks.json")
    assert [key.kty for key in reply.message.keys] == ["OKP"]


@pytest.mark.parametrize("target", ["/v1/orders?", "/v1/orders?pageSize=5&&symbol=BTC%2DUSD"])
async def test_the_target_is_checked_as_it_was_sent(front: Front, target: str) -> None:
    await front.handle("GET", target, headers=front.sign("GET", target))


async def test_native_grpc_through_the_gateway_needs_no_handle(front: Front) -> None:
    stubs = Stubs(front.edge)
    metadata = front.venue.credentials["alice"].metadata
    placed = await stubs.orders.PlaceOrder(limit("n-1"), metadata=metadata, timeout=10)
    assert placed.order.account == "alice"


async def test_one_connection_answers_many_requests_in_their_order(front: Front) -> None:
    reader, writer = await asyncio.open_unix_connection(str(front.venue.app.sockets.authz))
    targets = ["/v1/time", "/v1/nothing", "/v1/orders", "/v1/time?x=1"] * 5
    pipelined = b"".join(f"GET {target} HTTP/1.1\r\nhost: a\r\n\r\n".encode() for target in targets)
    # Cut anywhere, also within a header.
    for start in range(0, len(pipelined), 7):
        writer.write(pipelined[start : start + 7])
        await writer.drain()
    statuses = []
    for _ in targets:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        statuses.append(int(head.split(" ")[1]))
        (length,) = (
            int(line.partition(": ")[2])
            for line in head.splitlines()
            if line.startswith("content-length")
        )
        await reader.readexactly(length)
    assert statuses == [200, 404, 401, 400] * 5
    writer.write(b"this is not HTTP\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


# --- what is refused: the table -------------------------------------------------------------------


async def unsigned(front: Front) -> Failure:
    return await front.refused("POST", "/v1/orders", order())


async def replayed(front: Front) -> Failure:
    headers = front.sign("POST", "/v1/orders", order())
    await front.send("POST", "/v1/orders", order(), headers)
    return await front.refused("POST", "/v1/orders", order(), headers)


async def stale(front: Front) -> Failure:
    headers = front.sign("POST", "/v1/orders", order(), late_ms=6_000)
    return await front.refused("POST", "/v1/orders", order(), headers)


async def from_the_future(front: Front) -> Failure:
    headers = front.sign("POST", "/v1/orders", order(), late_ms=-5_000)
    return await front.refused("POST", "/v1/orders", order(), headers)


async def older_than_the_venue(front: Front) -> Failure:
    headers = front.sign("GET", "/v1/orders", late_ms=70_000) | {"x-api-recv-window": "60001"}
    return await front.refused("GET", "/v1/orders", headers=headers)


async def other_body(front: Front) -> Failure:
    headers = front.sign("POST", "/v1/orders", order())
    return await front.refused("POST", "/v1/orders", order("r-2"), headers)


async def other_path(front: Front) -> Failure:
    headers = front.sign("DELETE", "/v1/orders/1")
    return await front.refused("DELETE", "/v1/orders/2", headers=headers)


async def other_query(front: Front) -> Failure:
    headers = front.sign("GET", "/v1/orders?symbol=BTC-USD")
    return await front.refused("GET", "/v1/orders?symbol=ETH-USD", headers=headers)


async def other_method(front: Front) -> Failure:
    headers = front.sign("GET", "/v1/orders/1")
    return await front.refused("DELETE", "/v1/orders/1", headers=headers)


async def other_nonce(front: Front) -> Failure:
    headers = front.sign("GET", "/v1/orders") | {"x-api-nonce": "n" * 16}
    return await front.refused("GET", "/v1/orders", headers=headers)


async def other_environment(front: Front) -> Failure:
    headers = front.sign("GET", "/v1/orders", environment="production")
    return await front.refused("GET", "/v1/orders", headers=headers)


async def other_signer(front: Front) -> Failure:
    alice, bob = (front.venue.credentials[name] for name in ("alice", "bob"))
    key = SigningKey(alice.key_id, bob.private_key.sign)
    headers = front.sign("GET", "/v1/orders", key=key)
    return await front.refused("GET", "/v1/orders", headers=headers)


async def other_account(front: Front) -> Failure:
    """Refused by the servicer: the request itself is in order."""
    target = "/v1/orders"
    body = json.dumps({**json.loads(order()), "account": "bob"}).encode()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await front.send("POST", target, body, front.sign("POST", target, body))
    return failure_of_call(error.value)


async def too_large(front: Front) -> Failure:
    body = order() + b" " * (256 << 10)
    return await front.refused("POST", "/v1/orders", body, front.sign("POST", "/v1/orders", body))


async def cut_off(front: Front) -> Failure:
    headers = front.sign("POST", "/v1/orders", order()) | {"x-envoy-auth-partial-body": "true"}
    return await front.refused("POST", "/v1/orders", order(), headers)


async def revoked(front: Front) -> Failure:
    credential = await front.venue.create_key("alice")
    await front.venue.submit(RevokeKey("alice", credential.key_id))
    headers = front.sign("GET", "/v1/orders", key=ed25519_key(credential))
    return await front.refused("GET", "/v1/orders", headers=headers)


async def expired(front: Front) -> Failure:
    soon_ns = front.clock() + 60 * 10**9
    credential = await front.venue.create_key("alice", expires_ns=soon_ns)
    front.clock.advance(61)
    headers = front.sign("GET", "/v1/orders", key=ed25519_key(credential))
    return await front.refused("GET", "/v1/orders", headers=headers)


async def elsewhere(front: Front) -> Failure:
    credential = await front.venue.create_key("alice", addresses=["198.51.100.0/24"])
    headers = front.sign("GET", "/v1/orders", key=ed25519_key(credential))
    return await front.refused("GET", "/v1/orders", headers=headers)


async def without_scope(front: Front) -> Failure:
    credential = await front.venue.create_key("alice", frozenset({"read"}))
    headers = front.sign("POST", "/v1/orders", order(), key=ed25519_key(credential))
    return await front.refused("POST", "/v1/orders", order(), headers)


async def by_an_operator(front: Front) -> Failure:
    key = ed25519_key(front.venue.credentials["admin"])
    return await front.refused(
        "GET", "/v1/orders", headers=front.sign("GET", "/v1/orders", key=key)
    )


async def signed_and_with_a_token(front: Front) -> Failure:
    headers = front.sign("GET", "/v1/orders") | bearer(front)
    return await front.refused("GET", "/v1/orders", headers=headers)


async def mistyped(front: Front) -> Failure:
    body = json.dumps({**json.loads(order()), "postonly": "POST_ONLY_REJECT"}).encode()
    return await front.refused("POST", "/v1/orders", body, front.sign("POST", "/v1/orders", body))


async def said_twice(front: Front) -> Failure:
    body = order()[:-1] + b',"price":"99"}'
    return await front.refused("POST", "/v1/orders", body, front.sign("POST", "/v1/orders", body))


TABLE = [
    (unsigned, "UNAUTHENTICATED"),
    (replayed, "NONCE_REUSED"),
    (stale, "TIMESTAMP_OUT_OF_WINDOW"),
    (from_the_future, "TIMESTAMP_OUT_OF_WINDOW"),
    (older_than_the_venue, "TIMESTAMP_OUT_OF_WINDOW"),
    (other_body, "SIGNATURE_INVALID"),
    (other_path, "SIGNATURE_INVALID"),
    (other_query, "SIGNATURE_INVALID"),
    (other_method, "SIGNATURE_INVALID"),
    (other_nonce, "SIGNATURE_INVALID"),
    (other_environment, "SIGNATURE_INVALID"),
    (other_signer, "SIGNATURE_INVALID"),
    (other_account, "ACCOUNT_NOT_FOUND"),
    (too_large, "REQUEST_TOO_LARGE"),
    (cut_off, "REQUEST_TOO_LARGE"),
    (revoked, "KEY_REVOKED"),
    (expired, "KEY_EXPIRED"),
    (elsewhere, "ADDRESS_NOT_ALLOWED"),
    (without_scope, "SCOPE_MISSING"),
    (by_an_operator, "SCOPE_MISSING"),
    (signed_and_with_a_token, "UNAUTHENTICATED"),
    (mistyped, "FIELD_INVALID"),
    (said_twice, "FIELD_INVALID"),
]


@pytest.mark.parametrize(
    ("attempt", "reason"), TABLE, ids=lambda value: getattr(value, "__name__", "")
)
async def test_a_request_is_refused_with_the_right_reason(
    front: Front, attempt: Any, reason: str
) -> None:
    before = front.venue.app.state.event_number
    found = await attempt(front)
    assert (found.reason, found.outcome) == (reason, "refused")
    alice = front.venue.app.state.accounts["alice"]
    assert len(alice.orders) == (1 if attempt is replayed else 0)
    if attempt not in (replayed, revoked, expired, elsewhere, without_scope):
        assert front.venue.app.state.event_number == before


# --- handles --------------------------------------------------------------------------------------


async def refused_at_edge(
    front: Front, metadata: Metadata, path: str = ORDERS + "ListOrders"
) -> Failure:
    request = message_factory.GetMessageClass(methods()[path].request)()
    call = front.call(path, request, metadata)
    found = await failure(call)
    # Whoever is refused is told what is left, too.
    headers = dict(await call.initial_metadata())
    assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= headers.keys()
    return found


async def test_a_request_that_was_not_checked_is_not_served(front: Front) -> None:
    """An Envoy that leaves out the check on some route opens nothing, whoever asks."""
    token = bearer(front)["authorization"]
    for metadata in ((), (("authorization", token),)):
        found = await refused_at_edge(front, metadata)
        assert (found.reason, "past the check" in found.text) == ("UNAUTHENTICATED", True)
    # What is public passes through the check as well.
    found = await refused_at_edge(front, (), "/tradewire.v1.SessionService/GetServerTime")
    assert found.reason == "UNAUTHENTICATED"


async def test_a_handle_is_good_once(front: Front) -> None:
    handle = await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
    await front.call(
        ORDERS + "ListOrders", order_service_pb2.ListOrdersRequest(), ((HANDLE, handle),)
    )
    found = await refused_at_edge(front, ((HANDLE, handle),))
    assert (found.reason, "used before" in found.text) == ("UNAUTHENTICATED", True)


async def test_a_handle_is_for_the_method_that_was_checked(front: Front) -> None:
    handle = await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
    found = await refused_at_edge(front, ((HANDLE, handle),), ORDERS + "CancelAllOrders")
    assert (found.reason, "ListOrders" in found.text) == ("UNAUTHENTICATED", True)


async def test_a_handle_expires(front: Front) -> None:
    handle = await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
    front.clock.advance(31)
    found = await refused_at_edge(front, ((HANDLE, handle),))
    assert (found.reason, "expired" in found.text) == ("UNAUTHENTICATED", True)


async def test_a_made_up_handle_opens_nothing(front: Front) -> None:
    for handle in ("A" * 32, "", "A" * 5_000):
        assert (await refused_at_edge(front, ((HANDLE, handle),))).reason == "UNAUTHENTICATED"


async def test_two_handles_or_a_handle_and_a_token_are_none(front: Front) -> None:
    handles = [
        await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
        for _ in range(2)
    ]
    both = tuple((HANDLE, handle) for handle in handles)
    assert (await refused_at_edge(front, both)).reason == "UNAUTHENTICATED"
    token = ("authorization", bearer(front, "bob")["authorization"])
    assert (await refused_at_edge(front, (*both[:1], token))).reason == "UNAUTHENTICATED"


async def test_a_handle_without_a_signer_does_not_sign(front: Front) -> None:
    """The check leaves the token to the edge, which looks at it."""
    headers = {"authorization": "Bearer forged"}
    handle = await front.handle("GET", "/v1/orders", headers=headers)
    found = await refused_at_edge(front, ((HANDLE, handle), *headers.items()))
    assert found.reason == "TOKEN_INVALID"
    handle = await front.handle("GET", "/v1/orders", headers=headers)
    assert (await refused_at_edge(front, ((HANDLE, handle),))).reason == "UNAUTHENTICATED"


async def test_a_key_that_is_revoked_after_the_check_opens_nothing(front: Front) -> None:
    credential = await front.venue.create_key("alice")
    headers = front.sign("GET", "/v1/orders", key=ed25519_key(credential))
    handle = await front.handle("GET", "/v1/orders", headers=headers)
    await front.venue.submit(RevokeKey("alice", credential.key_id))
    assert (await refused_at_edge(front, ((HANDLE, handle),))).reason == "KEY_REVOKED"


async def test_an_order_that_waits_beyond_its_window_is_not_placed(front: Front) -> None:
    body = order()
    handle = await front.handle("POST", "/v1/orders", body, front.sign("POST", "/v1/orders", body))
    # Longer than the receive window, shorter than the life of the handle.
    front.clock.advance(6)
    found = await failure(front.call(ORDERS + "PlaceOrder", limit("r-1"), ((HANDLE, handle),)))
    assert found.reason == "DEADLINE_PASSED"
    assert front.venue.app.state.accounts["alice"].orders == {}


async def test_elsewhere_the_gateways_headers_mean_nothing(
    front: Front, venue: RunningVenue
) -> None:
    handle = await front.handle("GET", "/v1/orders", headers=front.sign("GET", "/v1/orders"))
    claims = (
        (HANDLE, handle),
        ("x-envoy-original-path", "/v1/orders"),
        ("x-tradewire-client-address", "198.51.100.1"),
    )
    request = order_service_pb2.ListOrdersRequest()
    only_there = await venue.create_key("alice", addresses=["198.51.100.0/24"])
    async with venue.connect() as channel:
        stubs = Stubs(channel)
        found = await failure(stubs.orders.ListOrders(request, metadata=claims, timeout=10))
        assert found.reason == "UNAUTHENTICATED"
        # With a credential of their own they pass as if the headers were not there.
        token = venue.credentials["alice"].metadata
        await stubs.orders.ListOrders(request, metadata=(*claims, *token), timeout=10)
        # And nobody is where they say.
        await sign_in_from(venue, only_there, "198.51.100.1", front)
        metadata = (*claims, *only_there.metadata)
        found = await failure(stubs.orders.ListOrders(request, metadata=metadata, timeout=10))
        assert found.reason == "ADDRESS_NOT_ALLOWED"
    # The handle was not touched.
    await front.call(ORDERS + "ListOrders", request, ((HANDLE, handle),))


async def sign_in_from(
    venue: RunningVenue, credential: Credential, address: str, front: Front
) -> None:
    """Sign in through the gateway, from an address."""
    request = session_request(credential, "sandbox", now_ns=front.clock())
    metadata = (("x-tradewire-client-address", address),)
    response = await Stubs(front.edge).sessions.CreateSession(
        request, metadata=metadata, timeout=10
    )
    credential.token = response.token


# --- limits ---------------------------------------------------------------------------------------

BURST = 30


@pytest.fixture
async def tight(data_dir: Path, clock: Clock, complaints: Complaints) -> AsyncIterator[Front]:
    """Return a front whose addresses have few units."""
    limits = LimitPolicy(address=Gcra(1, BURST, 3600))
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=0.2, limits=limits)
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with front_of(venue, clock) as front:
            yield front


def remaining(headers: Any) -> int:
    return int(dict(headers)["ratelimit-remaining"])


async def test_refusals_are_paid_by_the_address_and_then_limited(tight: Front) -> None:
    usable = BURST - BURST // 10
    for used in range(1, usable + 1):
        response = await tight.check("GET", "/v1/orders")
        assert failure_of_response(response).reason == "UNAUTHENTICATED"
        assert remaining(response.headers) == usable - used
    response = await tight.check("GET", "/v1/time")
    found = failure_of_response(response)
    assert (found.reason, found.metadata["scope"]) == ("RATE_LIMITED", "address")
    assert response.headers["retry-after"] == "3600"
    # Neither a token helps nor the other way in.
    found = await refused_at_edge(tight, tuple(bearer(tight).items()))
    assert found.reason == "RATE_LIMITED"
    assert (await tight.check("GET", "/v1/time", address="203.0.113.8")).status_code == 200


async def test_tokens_that_are_refused_are_paid_by_the_address(tight: Front) -> None:
    found = []
    stubs = Stubs(tight.edge)
    metadata = (
        ("authorization", "Bearer forged"),
        ("x-tradewire-client-address", ADDRESS),
    )
    for _ in range(BURST):
        call = stubs.orders.ListOrders(
            order_service_pb2.ListOrdersRequest(), metadata=metadata, timeout=10
        )
        found.append((await failure(call)).reason)
        assert "ratelimit-remaining" in dict(await call.initial_metadata())
    usable = BURST - BURST // 10
    assert found == ["TOKEN_INVALID"] * usable + ["RATE_LIMITED"] * (BURST - usable)


async def test_a_stream_that_is_refused_says_what_is_left(front: Front) -> None:
    stubs = Stubs(front.edge)
    metadata = (("x-tradewire-client-address", ADDRESS),)
    call = stubs.executions.StreamExecutions(
        execution_service_pb2.StreamExecutionsRequest(), metadata=metadata, timeout=10
    )
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await anext(aiter(call))
    assert failure_of_call(error.value).reason == "UNAUTHENTICATED"
    assert await call.initial_metadata() == grpc.aio.Metadata()
    assert "ratelimit-remaining" in dict(await call.trailing_metadata())


async def test_a_stream_says_what_is_left_with_its_first_message(front: Front) -> None:
    call = Stubs(front.edge).executions.StreamExecutions(
        execution_service_pb2.StreamExecutionsRequest(),
        metadata=front.venue.credentials["alice"].metadata,
        timeout=10,
    )
    await anext(aiter(call))
    assert "ratelimit-remaining" in dict(await call.initial_metadata())
    call.cancel()


async def test_health_and_reflection_cost_their_address_something(tight: Front) -> None:
    before = await tight.check("GET", "/v1/nothing", address="127.0.0.1")
    async with tight.venue.connect() as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for _ in range(5):
            await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=10)
        await anext(aiter(watch))
        watch.cancel()
        await reflect(channel)
        after = await tight.check("GET", "/v1/nothing", address="127.0.0.1")
        assert remaining(before.headers) - remaining(after.headers) == 8
        for _ in range(remaining(after.headers) + BURST // 10):
            await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        found = await failure(health.Check(health_pb2.HealthCheckRequest(), timeout=10))
        assert found.reason == "RATE_LIMITED"
    # On the listener for this machine only, nobody needs to be held up.
    async with grpc.aio.insecure_channel(tight.venue.admin_target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        await health.Check(health_pb2.HealthCheckRequest(), timeout=10)


async def reflect(channel: Any) -> Any:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = stub.ServerReflectionInfo(iter([request]), timeout=10)
    return [answer async for answer in call]


# --- the end of a method --------------------------------------------------------------------------


async def test_a_method_that_will_end_says_so_on_every_reply(
    venue: RunningVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/tradewire.v1.SessionService/GetServerTime"
    ending = methods()[path]._replace(
        deprecation=Deprecation("2026-01-01", "2027-01-01", "/docs/changelog")
    )
    expected = {
        "deprecation": "@1767225600",
        "sunset": "Fri, 01 Jan 2027 00:00:00 GMT",
        "link": '</docs/changelog>; rel="deprecation"',
    }
    edge = venue.app.public_edge()
    edge._methods[path] = ending
    server = grpc.aio.server(interceptors=[edge])
    venue.app.add_public(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = Stubs(channel).sessions.GetServerTime(
            session_service_pb2.GetServerTimeRequest(), timeout=10
        )
        await call
        headers = dict(await call.initial_metadata())
        assert {name: headers[name] for name in expected} == expected
    await server.stop(None)


# --- the sockets ----------------------------------------------------------------------------------


async def test_the_sockets_are_the_owners_and_go_with_the_venue(
    data_dir: Path, complaints: Complaints
) -> None:
    async with running_venue(data_dir) as venue:
        sockets = venue.app.sockets
        for path in (sockets.edge, sockets.authz):
            assert path.parent == data_dir
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_ISSOCK(path.stat().st_mode)
    assert not sockets.edge.exists()
    assert not sockets.authz.exists()


async def test_sockets_of_a_process_that_was_killed_are_replaced(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    for name in ("edge.sock", "authz.sock"):
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(data_dir / name))
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with front_of(venue, clock) as front:
            assert (await front.send("GET", "/v1/time")).message.time_ms


async def test_a_file_in_the_place_of_a_socket_is_left_alone(
    data_dir: Path, complaints: Complaints
) -> None:
    (data_dir / "authz.sock").write_text("mine")
    app = Application(Settings(data_dir=data_dir, grpc_port=0, admin_port=0))
    with pytest.raises(ListenError, match="is in the way"):
        await app.start()
    app.sequencer.close()
    app.journal.close()
    assert (data_dir / "authz.sock").read_text() == "mine"


async def test_a_long_path_gets_its_sockets_elsewhere(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    long = data_dir / ("d" * 120)
    settings = Settings(data_dir=long, grpc_port=0, admin_port=0, drain_s=0.2)
    async with running_venue(long, settings=settings, clock_ns=clock) as venue:
        directory = venue.app.sockets.directory
        assert directory != long
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        async with front_of(venue, clock) as front:
            assert (await front.check("GET", "/v1/time")).status_code == 200
    assert not directory.exists()
    app = Application(
        Settings(data_dir=data_dir, socket_dir=long, grpc_port=0, admin_port=0, drain_s=0.2)
    )
    with pytest.raises(ListenError, match="too long"):
        await app.start()
    app.sequencer.close()
    app.journal.close()


async def test_reflection_is_off_in_production_unless_it_is_asked_for(
    data_dir: Path, complaints: Complaints
) -> None:
    for number, (environment, wanted, there) in enumerate(
        [("production", None, False), ("production", True, True), ("sandbox", False, False)]
    ):
        settings = Settings(
            data_dir=data_dir / str(number),
            environment=environment,
            reflection=wanted,
            grpc_port=0,
            admin_port=0,
            drain_s=0.2,
        )
        async with running_venue(data_dir, settings=settings) as venue, venue.connect() as channel:
            if there:
                assert await reflect(channel)
            else:
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await reflect(channel)
                assert failure_of_call(error.value).reason == "METHOD_NOT_FOUND"


# --- a gateway elsewhere --------------------------------------------------------------------------


async def test_a_gateway_elsewhere_needs_a_certificate(
    data_dir: Path,
    clock: Clock,
    complaints: Complaints,
    certificate: Tls,
) -> None:
    tls = Tls(
        certificate=certificate.certificate,
        key=certificate.key,
        client_ca=certificate.certificate,
    )
    settings = Settings(
        data_dir=data_dir,
        grpc_port=0,
        admin_port=0,
        drain_s=0.2,
        edge_address="127.0.0.1:0",
        authz_address="127.0.0.1:0",
        peer_tls=tls,
    )
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        context = ssl.create_default_context(cafile=str(tls.certificate))
        url = f"https://localhost:{venue.app.authz_port}"
        async with httpx.AsyncClient(base_url=url, verify=context, trust_env=False) as nobody:
            with pytest.raises(httpx.TransportError):
                await nobody.get("/v1/time")
        context = ssl.create_default_context(cafile=str(tls.certificate))
        context.load_cert_chain(tls.certificate, tls.key)
        pem, key = tls.certificate.read_bytes(), tls.key.read_bytes()
        credentials = grpc.ssl_channel_credentials(pem, key, pem)
        async with (
            httpx.AsyncClient(base_url=url, verify=context, trust_env=False) as http,
            grpc.aio.secure_channel(f"localhost:{venue.app.edge_port}", credentials) as edge,
        ):
            front = Front(venue, clock, http, edge)
            body = order()
            headers = front.sign("POST", "/v1/orders", body)
            reply = await front.send("POST", "/v1/orders", body, headers)
            assert reply.message.order.account == "alice"
            # It is believed where its client is, and so is what it has not asked.
            only_there = await venue.create_key("alice", addresses=[f"{ADDRESS}/32"])
            headers = front.sign("GET", "/v1/orders", key=ed25519_key(only_there))
            await front.send("GET", "/v1/orders", headers=headers)
            time = "/tradewire.v1.SessionService/GetServerTime"
            assert (await refused_at_edge(front, (), time)).reason == "UNAUTHENTICATED"
        without = grpc.ssl_channel_credentials(pem)
        async with grpc.aio.secure_channel(
            f"localhost:{venue.app.edge_port}", without
        ) as nobody_edge:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await Stubs(nobody_edge).sessions.GetServerTime(
                    session_service_pb2.GetServerTimeRequest(), timeout=10
                )
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("with_tls", [False, True])
async def test_a_listener_for_a_gateway_elsewhere_does_not_open_without_an_authority(
    data_dir: Path,
    complaints: Complaints,
    certificate: Tls,
    with_tls: bool,
) -> None:
    for name in ("edge_address", "authz_address"):
        settings: Any = {name: "127.0.0.1:0", "peer_tls": certificate if with_tls else None}
        app = Application(Settings(data_dir=data_dir / name, grpc_port=0, admin_port=0, **settings))
        with pytest.raises(ListenError, match="authority"):
            await app.start()
        app.sequencer.close()
        app.journal.close()
