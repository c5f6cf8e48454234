"""Limits as a REST client meets them: 429, Retry-After, the state in headers, and what passes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from tradewire.v1 import account_service_pb2, order_service_pb2
from tradewire_server.app import Settings
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.support.audit import audit
from tests.support.envoy import RestVenue, data_directory, running_rest_venue
from tests.support.failures import Failure
from tests.support.rest import (
    BearerToken,
    SignedRequests,
    answer,
    ed25519_key,
    failure_of_response,
    http_request,
    rest_client,
    signed_headers,
)
from tests.support.trading import SELL, cancel, limit, market
from tests.support.venue import Credential, base64url

AUTHENTICATIONS = pytest.mark.parametrize("authentication", ["bearer", "signed"])
SLOW = 10**6


@asynccontextmanager
async def venue_with(policy: LimitPolicy) -> AsyncIterator[RestVenue]:
    async with data_directory() as path:
        settings = Settings(data_dir=path, grpc_port=0, admin_port=0, drain_s=0.2, limits=policy)
        async with running_rest_venue(path, settings=settings) as rest:
            yield rest
        audit(rest.venue.app)


def client_of(rest: RestVenue, credential: Credential, authentication: str) -> httpx.AsyncClient:
    auth: httpx.Auth = BearerToken(credential.token)
    if authentication == "signed":
        auth = SignedRequests(ed25519_key(credential))
    return rest_client(rest.url, auth)


def refused(response: httpx.Response) -> Failure:
    """Return what a limit says, which is in the headers as well."""
    found = failure_of_response(response)
    assert response.status_code == 429
    wait_s = -(-int(found.metadata["retry_after_ms"]) // 1000)
    assert response.headers["retry-after"] == str(wait_s)
    assert (found.reason, found.outcome) == ("RATE_LIMITED", "refused")
    return found


@AUTHENTICATIONS
async def test_unfilled_orders_are_429_until_one_trades(authentication: str) -> None:
    policy = LimitPolicy(unfilled_orders=((10**9, 2),))
    async with (
        venue_with(policy) as rest,
        client_of(rest, rest.alice, authentication) as alice,
        client_of(rest, rest.bob, authentication) as bob,
    ):
        for name in ("a-1", "a-2"):
            answer(
                await http_request(limit(name)).send(alice), order_service_pb2.PlaceOrderResponse
            )
        found = refused(await http_request(limit("a-3")).send(alice))
        assert (found.metadata["scope"], found.metadata["limit"]) == ("unfilled_orders", "2")
        batch = order_service_pb2.PlaceOrdersRequest(orders=[limit("a-4")])
        results = answer(
            await http_request(batch).send(alice), order_service_pb2.PlaceOrdersResponse
        ).results
        assert [result.WhichOneof("outcome") for result in results] == ["error"]
        limits = answer(await alice.get("/v1/limits"), account_service_pb2.GetLimitsResponse)
        assert [(c.limit, c.remaining) for c in limits.unfilled_orders] == [(2, 0)]
        await http_request(market("b-1", SELL, quantity="1")).send(bob)
        answer(await http_request(limit("a-3")).send(alice), order_service_pb2.PlaceOrderResponse)


@AUTHENTICATIONS
async def test_the_limits_stand_in_headers_and_cancels_have_a_reserve(authentication: str) -> None:
    policy = LimitPolicy(
        key=Gcra(1, 20, SLOW),
        account=Gcra(1, 1_000, SLOW),
        refusals=Gcra(1, 2, SLOW),
        waits_at_once=0,
    )
    async with (
        venue_with(policy) as rest,
        client_of(rest, rest.alice, authentication) as alice,
    ):
        for left in range(17, -1, -1):
            response = await http_request(limit(f"a-{left}")).send(alice)
            answer(response, order_service_pb2.PlaceOrderResponse)
            assert response.headers["ratelimit-limit"] == "18"
            assert response.headers["ratelimit-remaining"] == str(left)
            assert "retry-after" not in response.headers
        scopes = [
            refused(await http_request(limit("x")).send(alice)).metadata["scope"] for _ in range(4)
        ]
        assert scopes == ["key", "key", "key", "ban"]
        response = await http_request(cancel("a-1")).send(alice)
        answer(response, order_service_pb2.CancelOrderResponse)
        assert response.headers["ratelimit-remaining"] == "1"


async def test_guessed_signatures_are_throttled_before_they_are_looked_at() -> None:
    policy = LimitPolicy(sign_in_failures_per_address=Gcra(1, 4, SLOW))
    async with venue_with(policy) as rest, rest_client(rest.url) as nobody:
        told, key = [], ed25519_key(rest.alice)
        for number in range(6):
            headers = signed_headers(key, "GET", "/v1/account", b"")
            headers["x-api-key"] = f"tw_{number:05}nobody"
            headers["x-api-signature"] = base64url(bytes(64))
            told.append(await nobody.get("/v1/account", headers=headers))
        reasons = [failure_of_response(response).reason for response in told]
        assert reasons == ["SIGNATURE_INVALID"] * 4 + ["RATE_LIMITED"] * 2
        assert refused(told[-1]).metadata["scope"] == "sign_in"
        # Who signed in from there before passes all the same, with a token or signed.
        for authentication in ("bearer", "signed"):
            async with client_of(rest, rest.alice, authentication) as alice:
                answer(await alice.get("/v1/account"), account_service_pb2.GetAccountResponse)
        # A right signature of a key that was never used there waits with the guesses.
        async with client_of(rest, await rest.venue.create_key("alice"), "signed") as stranger:
            found = refused(await stranger.get("/v1/account"))
            assert found.metadata["scope"] == "sign_in"
