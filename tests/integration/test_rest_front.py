"""The check of REST requests and what becomes of them at the edge, without the gateway between."""

import asyncio
import json
from typing import Any

import grpc.aio
import pytest
from tradewire_server.engine.commands import RevokeKey

from tests.support.failures import Failure, failure_of_call
from tests.support.front import (
    Front,
    bearer,
    order,
)
from tests.support.rest import SigningKey, ed25519_key
from tests.support.trading import limit
from tests.support.venue import (
    Stubs,
)

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
