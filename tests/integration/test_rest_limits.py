"""What refused requests cost, and what every reply says beside its message."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tradewire.v1 import (
    execution_service_pb2,
    market_data_service_pb2,
    order_service_pb2,
)
from tradewire_contract import Deprecation, methods
from tradewire_server.app import Settings
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.integration.conftest import Complaints
from tests.support.failures import failure, failure_of_call
from tests.support.front import (
    ADDRESS,
    HANDLE,
    ORDERS,
    Front,
    bearer,
    front_of,
    list_services,
    refused_at_edge,
)
from tests.support.rest import failure_of_response
from tests.support.venue import SYMBOL, Clock, RunningVenue, Stubs, running_venue

BURST = 30
# A signature of nobody, in the right form.
NO = "A" * 86


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


async def test_a_repeated_address_is_not_made_to_pay(tight: Front) -> None:
    """What comes after Envoy's own could be a client's."""
    other = "198.51.100.66"
    before = await tight.check("GET", "/v1/nothing", address=other)
    mine = await tight.check("GET", "/v1/nothing")
    for _ in range(5):
        found = await refused_at_edge(tight, (("x-tradewire-client-address", other),))
        assert found.reason == "UNAUTHENTICATED"
    after = await tight.check("GET", "/v1/nothing", address=other)
    now = await tight.check("GET", "/v1/nothing")
    assert remaining(before.headers) - remaining(after.headers) == 1
    assert remaining(mine.headers) - remaining(now.headers) == 6


@pytest.mark.parametrize("credential", ["signature", "token"])
async def test_cancels_pass_whatever_others_at_the_address_have_done(
    tight: Front, credential: str
) -> None:
    """Failed sign-ins, refusals up to a ban, and junk on the very routes that reduce risk."""
    target = "/v1/orders:cancelAll"

    def shown() -> dict[str, str]:
        if credential == "token":
            return bearer(tight)
        return tight.sign("POST", target, b"{}", nonce=secrets.token_urlsafe(16))

    # Who signs is known from the first time on, a token from its session on.
    await tight.handle("POST", target, b"{}", shown())
    junk = {"authorization": "Bearer junk"}
    for _ in range(20):
        guess = tight.sign("GET", "/v1/orders") | {"x-api-key": "tw_NOBODY", "x-api-signature": NO}
        await tight.check("GET", "/v1/orders", headers=guess)
    for headers in (junk, {}):
        for _ in range(300):
            await tight.check("POST", target, b"{}", headers)
    told = [await tight.refused("GET", "/v1/orders") for _ in range(300)]
    assert told[-1].metadata["scope"] == "ban"
    assert (await tight.refused("POST", target, b"{}", junk)).metadata["scope"] == "address"
    # Weight 1, as what is left of so small a limit is less than the 5 of this method.
    target = "/v1/orders/17"
    cancel = bearer(tight)
    if credential == "signature":
        cancel = tight.sign("DELETE", target)
    handle = await tight.handle("DELETE", target, headers=cancel)
    metadata = ((HANDLE, handle), *(cancel.items() if credential == "token" else ()))
    request = order_service_pb2.CancelOrderRequest(order_id="17", client_order_id="c-1")
    found = await failure(tight.call(ORDERS + "CancelOrder", request, metadata))
    assert found.reason == "ORDER_NOT_FOUND"


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
        await list_services(channel)
        after = await tight.check("GET", "/v1/nothing", address="127.0.0.1")
        assert remaining(before.headers) - remaining(after.headers) == 8
        # The other half of the reserve is for senders that are known.
        for _ in range(remaining(after.headers) + BURST // 10 // 2):
            await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        found = await failure(health.Check(health_pb2.HealthCheckRequest(), timeout=10))
        assert found.reason == "RATE_LIMITED"
    # On the listener for this machine only, nobody needs to be held up.
    async with grpc.aio.insecure_channel(tight.venue.admin_target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        await health.Check(health_pb2.HealthCheckRequest(), timeout=10)


# --- the end of a method --------------------------------------------------------------------------


ENDS = Deprecation("2026-01-01", "2027-01-01", "/docs/changelog")
SAID = {
    "deprecation": "@1767225600",
    "sunset": "Fri, 01 Jan 2027 00:00:00 GMT",
    "link": '</docs/changelog>; rel="deprecation"',
}


def said(metadata: Any) -> dict[str, str]:
    return {name: value for name, value in metadata if name in SAID}


async def test_a_method_that_will_end_says_so_on_every_reply(venue: RunningVenue) -> None:
    edge = venue.app.public_edge()
    for path in (
        "/tradewire.v1.OrderService/ListOrders",
        "/tradewire.v1.MarketDataService/StreamMarketData",
    ):
        edge._methods[path] = methods()[path]._replace(deprecation=ENDS)
    server = grpc.aio.server(interceptors=[edge])
    venue.app.add_public(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stubs = Stubs(channel)
        request = order_service_pb2.ListOrdersRequest()
        metadata = venue.credentials["alice"].metadata
        good = stubs.orders.ListOrders(request, metadata=metadata, timeout=10)
        await good
        assert said(await good.initial_metadata()) == SAID
        bad = stubs.orders.ListOrders(request, timeout=10)
        assert (await failure(bad)).reason == "UNAUTHENTICATED"
        assert said(await bad.initial_metadata()) == SAID
        other = stubs.orders.GetOrder(order_service_pb2.GetOrderRequest(), timeout=10)
        await failure(other)
        assert said(await other.initial_metadata()) == {}
        follow = market_data_service_pb2.StreamMarketDataRequest(symbols=[SYMBOL])
        stream = stubs.market.StreamMarketData(follow, timeout=10)
        await anext(aiter(stream))
        assert said(await stream.initial_metadata()) == SAID
        stream.cancel()
        unknown = market_data_service_pb2.StreamMarketDataRequest(symbols=["bad"])
        refused = stubs.market.StreamMarketData(unknown, timeout=10)
        with pytest.raises(grpc.aio.AioRpcError):
            await anext(aiter(refused))
        # Nothing may precede the status of a stream that has no message.
        assert said(await refused.initial_metadata()) == {}
        assert said(await refused.trailing_metadata()) == SAID
    await server.stop(None)
