"""Envoy, as far as the server can tell: asks `authz.sock` whether a request may pass, and calls
`edge.sock` or `calls.sock` as the transcoder would.

    async with front_of(venue, clock) as front:
        reply = await front.send("POST", "/v1/orders", body, front.sign("POST", "/v1/orders", body))
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
import httpx
from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tradewire_contract import find_route, methods

from tests.support.calls import CallsChannel
from tests.support.failures import Failure, failure
from tests.support.rest import SigningKey, ed25519_key, failure_of_response, signed_headers
from tests.support.trading import limit
from tests.support.venue import Clock, RunningVenue

ADDRESS = "203.0.113.7"
ORDERS = "/tradewire.v1.OrderService/"
HANDLE = "x-tradewire-handle"
MS = 10**6
Metadata = tuple[tuple[str, str], ...]


@dataclass
class Reply:
    """What came back over `edge.sock`."""

    message: Any
    headers: dict[str, str]


class Front:
    """Envoy, as far as the server can tell."""

    def __init__(
        self,
        venue: RunningVenue,
        clock: Clock,
        http: httpx.AsyncClient,
        edge: grpc.aio.Channel,
        calls: CallsChannel | None = None,
    ) -> None:
        self.venue = venue
        self.clock = clock
        self.http = http
        self.edge = edge
        self.calls: Any = calls or edge

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
        return self.calls.unary_unary(
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
async def front_of(
    venue: RunningVenue, clock: Clock, *, over: str = "edge.sock"
) -> AsyncIterator[Front]:
    """Connect to the sockets of a venue; calls go over one of the two that take them."""
    sockets = venue.app.sockets
    transport = httpx.AsyncHTTPTransport(uds=str(sockets.authz))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://authz", trust_env=False) as http,
        grpc.aio.insecure_channel(f"unix:{sockets.edge}") as edge,
    ):
        calls = None if over == "edge.sock" else CallsChannel(sockets.calls)
        yield Front(venue, clock, http, edge, calls)


def order(client_order_id: str = "r-1") -> bytes:
    """Return the body of a limit order."""
    return json.dumps(json_format.MessageToDict(limit(client_order_id))).encode()


def bearer(front: Front, account: str = "alice") -> dict[str, str]:
    """Return the header of an account's token."""
    return {"authorization": f"Bearer {front.venue.credentials[account].token}"}


async def refused_at_edge(
    front: Front, metadata: Metadata, path: str = ORDERS + "ListOrders"
) -> Failure:
    """Call a method as Envoy does, which has to fail, and return how."""
    request = message_factory.GetMessageClass(methods()[path].request)()
    call = front.call(path, request, metadata)
    found = await failure(call)
    # Whoever is refused is told what is left, too.
    headers = dict(await call.initial_metadata())
    assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= headers.keys()
    return found


async def list_services(channel: Any) -> list[Any]:
    """Ask a server's reflection for its services."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = stub.ServerReflectionInfo(iter([request]), timeout=10)
    return [answer async for answer in call]
