"""gRPC and grpc-web through Envoy: as without it."""

import base64
import struct
from pathlib import Path

import grpc
import grpc.aio
import httpx
import pytest
from google.rpc import status_pb2
from tradewire.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    order_service_pb2,
    session_service_pb2,
)
from tradewire_server.app import Settings

from tests.support.envoy import (
    RestVenue,
    bearer,
    data_directory,
    rest_venue,
    running_rest_venue,
)
from tests.support.failures import failure, failure_of
from tests.support.rest import rest_client
from tests.support.trading import SELL, Trader, cancel, limit
from tests.support.venue import Stubs, session_request

__all__ = ["rest_venue"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

WEB = "application/grpc-web+proto"


async def test_unary_calls_and_their_errors_are_the_same(rest_venue: RestVenue) -> None:
    async with (
        grpc.aio.insecure_channel(rest_venue.target) as through,
        rest_venue.venue.connect() as direct,
    ):
        request = limit("grpc-1")
        metadata = rest_venue.alice.metadata
        placed = await Stubs(through).orders.PlaceOrder(request, metadata=metadata, timeout=10)
        again = await Stubs(direct).orders.PlaceOrder(request, metadata=metadata, timeout=10)
        assert placed == again
        for request, sent in (
            (limit("grpc-2", quantity="x"), metadata),
            (limit("grpc-2", symbol="XRP-USD"), metadata),
            (limit("grpc-2"), ()),
        ):
            found = [
                await failure(stubs.orders.PlaceOrder(request, metadata=sent, timeout=10))
                for stubs in (Stubs(through), Stubs(direct))
            ]
            assert found[0] == found[1]


async def test_limits_come_as_initial_metadata(rest_venue: RestVenue) -> None:
    async with grpc.aio.insecure_channel(rest_venue.target) as channel:
        call = Stubs(channel).sessions.GetServerTime(session_service_pb2.GetServerTimeRequest())
        metadata = dict(await call.initial_metadata() or ())
        await call
    assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= set(metadata)


async def test_what_only_envoy_may_say_is_taken_from_grpc_too(rest_venue: RestVenue) -> None:
    credential = await rest_venue.venue.create_key("alice", addresses=("10.9.9.9/32",))
    spoofed = (
        ("x-tradewire-client-address", "10.9.9.9"),
        ("x-envoy-original-path", "/v1/orders"),
        ("x-tradewire-handle", "made-up"),
        ("x-forwarded-for", "10.9.9.9"),
    )
    async with grpc.aio.insecure_channel(rest_venue.target) as channel:
        sessions = Stubs(channel).sessions
        refused = await failure(
            sessions.CreateSession(session_request(credential, "sandbox"), metadata=spoofed)
        )
        assert refused.reason == "ADDRESS_NOT_ALLOWED"
        # Taken for a transcoded call it would be refused: it has no handle.
        served = await sessions.CreateSession(
            session_request(rest_venue.alice, "sandbox"), metadata=spoofed
        )
    assert served.account == "alice"


async def test_operators_methods_are_not_there(rest_venue: RestVenue) -> None:
    async with grpc.aio.insecure_channel(rest_venue.target) as channel:
        admin = admin_service_pb2_grpc.AdminServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await admin.GetVenueStatus(
                admin_service_pb2.GetVenueStatusRequest(),
                metadata=rest_venue.venue.credentials["admin"].metadata,
                timeout=10,
            )
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_orders_are_entered_on_a_stream(rest_venue: RestVenue) -> None:
    async with grpc.aio.insecure_channel(rest_venue.target) as channel:
        alice = Trader(Stubs(channel), rest_venue.alice)
        bob = Trader(Stubs(channel), rest_venue.bob)
        async with alice.enter(after_sequence=0) as entry:
            for number in range(5):
                (result,) = await entry.do(limit(f"entry-{number}", price="77"))
                assert result.WhichOneof("outcome") != "error", result
            await bob.place(limit("entry-bob", SELL, quantity="2", price="77"))
            tape = await entry.until(
                lambda tape: any(e.order.filled_quantity == "1" for e in tape.executions)
            )
            (gone,) = await entry.do(cancel("entry-4"))
            assert gone.WhichOneof("outcome") != "error", gone
            await entry.half_close()
            await entry.to_end()
        numbers = [execution.sequence for execution in tape.executions]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_quiet_streams_are_not_cut() -> None:
    """Timeouts of Envoy that are shorter than the pause between two heartbeats."""
    async with (
        data_directory() as path,
        running_rest_venue(
            path,
            settings=_quiet(path),
            stream_idle_timeout_s=0.3,
            request_bytes_timeout_s=0.3,
            answer_timeout_s=0.3,
        ) as rest,
        grpc.aio.insecure_channel(rest.target) as channel,
    ):
        alice = Trader(Stubs(channel), rest.alice)
        async with (
            alice.enter() as entry,
            alice.follow() as executions,
            alice.watch(["BTC-USD"]) as market,
        ):
            for stream in (entry, executions, market):
                await stream.until(lambda tape: len(tape.heartbeats) >= 2)


def _quiet(path: Path) -> Settings:
    return Settings(data_dir=path, grpc_port=0, admin_port=0, drain_s=0.2, heartbeat_s=1.0)


# --- grpc-web -------------------------------------------------------------------------------------


def _frames(body: bytes) -> list[tuple[int, bytes]]:
    frames = []
    while body:
        flag, length = struct.unpack(">BI", body[:5])
        frames.append((flag, body[5 : 5 + length]))
        body = body[5 + length :]
    return frames


def _trailers(body: bytes) -> dict[str, str]:
    """Return what stands in the last frame."""
    flag, text = _frames(body)[-1]
    assert flag == 0x80
    lines = text.decode().strip().split("\r\n")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def _call_web(
    rest: RestVenue, path: str, message: bytes, kind: str = WEB, **headers: str
) -> httpx.Response:
    content = struct.pack(">BI", 0, len(message)) + message
    if kind.startswith("application/grpc-web-text"):
        content = base64.b64encode(content)
    async with rest_client(rest.url) as client:
        return await client.post(
            path,
            content=content,
            headers={"content-type": kind, "accept": kind, "x-grpc-web": "1", **headers},
        )


@pytest.mark.parametrize("kind", [WEB, "application/grpc-web-text+proto"])
async def test_a_page_calls_by_grpc_web(rest_venue: RestVenue, kind: str) -> None:
    request = limit(f"web-{len(kind)}").SerializeToString()
    response = await _call_web(
        rest_venue,
        "/tradewire.v1.OrderService/PlaceOrder",
        request,
        kind,
        origin="http://localhost:3000",
        **bearer(rest_venue.alice),
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == kind
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"
    body = response.content
    if "text" in kind:
        body = b"".join(base64.b64decode(part) for part in _quads(body))
    (flag, message), (end, _) = _frames(body)
    assert (flag, end) == (0, 0x80)
    placed = order_service_pb2.PlaceOrderResponse.FromString(message)
    assert placed.order.client_order_id == f"web-{len(kind)}"
    assert _trailers(body)["grpc-status"] == "0"


def _quads(body: bytes) -> list[bytes]:
    """Take base64 apart that was encoded in pieces: each may end with `=`."""
    return [body[start : start + 4] for start in range(0, len(body), 4)]


async def test_an_error_by_grpc_web_has_its_details(rest_venue: RestVenue) -> None:
    response = await _call_web(
        rest_venue,
        "/tradewire.v1.OrderService/PlaceOrder",
        limit("web-2", symbol="XRP-USD").SerializeToString(),
        **bearer(rest_venue.alice),
    )
    trailers = _trailers(response.content)
    assert trailers["grpc-status"] == str(grpc.StatusCode.NOT_FOUND.value[0])
    details = trailers["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(base64.b64decode(details + "=="))
    assert failure_of(status).reason == "INSTRUMENT_NOT_FOUND"


async def test_without_a_credential_grpc_web_is_refused(rest_venue: RestVenue) -> None:
    response = await _call_web(
        rest_venue,
        "/tradewire.v1.OrderService/PlaceOrder",
        limit("web-3").SerializeToString(),
        **{"x-tradewire-handle": "made-up", "x-envoy-original-path": "/v1/time"},
    )
    status = _trailers(response.content)["grpc-status"]
    assert status == str(grpc.StatusCode.UNAUTHENTICATED.value[0])
