"""Rate limits: their state on every reply, and a reserve that keeps cancels possible."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from tradewire.v1 import (
    account_service_pb2,
    execution_service_pb2,
    market_data_service_pb2,
    order_service_pb2,
    session_service_pb2,
)
from tradewire_contract import methods
from tradewire_server.api import enter_orders
from tradewire_server.app import Settings
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.integration.conftest import Complaints, Floor
from tests.support.audit import audit
from tests.support.failures import failure, failure_of
from tests.support.trading import Trader, amend, cancel, frame, limit
from tests.support.venue import Clock, Stubs, running_venue

BURST = 20
# One unit an hour: within a test nothing flows back.
TIGHT = LimitPolicy(
    key=Gcra(1, BURST, 3600), account=Gcra(1, 1000, 3600), address=Gcra(1, 1000, 3600)
)
USABLE = 18  # ten percent are the reserve


@pytest.fixture(params=["network", "in_process"])
async def tight(
    request: pytest.FixtureRequest, data_dir: Path, clock: Clock, complaints: Complaints
) -> AsyncIterator[Floor]:
    """Return a venue whose keys have few units."""
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=0.2, limits=TIGHT)
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice", "bob"])
        async with venue.connect(request.param) as channel:
            stubs = Stubs(channel)
            alice, bob = (Trader(stubs, venue.credentials[name]) for name in ("alice", "bob"))
            yield Floor(venue, stubs, request.param, clock, alice, bob)
    audit(venue.app)


def limits_in(metadata: Any) -> dict[str, int]:
    return {key: int(value) for key, value in metadata if key.startswith(("ratelimit", "retry"))}


async def exhaust(trader: Trader) -> None:
    """Use up what placing may use."""
    while True:
        call = trader.stubs.orders.PlaceOrder(
            limit("bad id"), metadata=trader.credential.metadata, timeout=5
        )
        if limits_in(await call.initial_metadata())["ratelimit-remaining"] == 0:
            with pytest.raises(grpc.aio.AioRpcError):
                await call
            return
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_every_unary_reply_says_what_is_left(tight: Floor) -> None:
    alice = tight.alice
    good = tight.stubs.orders.PlaceOrder(limit("a-1"), metadata=alice.credential.metadata)
    assert limits_in(await good.initial_metadata()) == {
        "ratelimit-limit": USABLE,
        "ratelimit-remaining": USABLE - 1,
        "ratelimit-reset": 3600,
    }
    await good
    # Also when it fails: what was wrong was found after the limit was taken.
    bad = tight.stubs.orders.PlaceOrder(limit("bad id"), metadata=alice.credential.metadata)
    assert limits_in(await bad.initial_metadata())["ratelimit-remaining"] == USABLE - 2
    assert (await failure(bad)).reason == "FIELD_INVALID"
    # The reserve is for this one.
    canceling = tight.stubs.orders.CancelOrder(cancel("a-1"), metadata=alice.credential.metadata)
    assert limits_in(await canceling.initial_metadata()) == {
        "ratelimit-limit": BURST,
        "ratelimit-remaining": BURST - 3,
        "ratelimit-reset": 3 * 3600,
    }
    await canceling


async def test_a_method_costs_the_weight_that_the_contract_says(tight: Floor) -> None:
    alice = tight.alice
    await alice.place(limit("a-1"))
    spent = 1
    for method, call in (
        ("OrderService/GetOrder", alice.get("a-1")),
        ("OrderService/ListOrders", alice.orders()),
        ("AccountService/ListBalances", alice.balances()),
        ("OrderService/CancelAllOrders", alice.cancel_all()),
    ):
        await call
        spent += methods()[f"/tradewire.v1.{method}"].weight
        limits = await alice(tight.stubs.accounts.GetLimits, account_service_pb2.GetLimitsRequest())
        (key,) = [state for state in limits.limits if state.name == "key"]
        assert key.remaining == BURST - spent


async def test_the_limits_can_be_asked_for(tight: Floor) -> None:
    await tight.alice.place(limit("a-1"))
    answer = await tight.alice(
        tight.stubs.accounts.GetLimits, account_service_pb2.GetLimitsRequest()
    )
    states = {state.name: state for state in answer.limits}
    assert set(states) == {"key", "account"} | ({"address"} if tight.kind == "network" else set())
    assert (states["key"].limit, states["key"].remaining, states["key"].reserve) == (20, 19, 2)
    assert states["key"].reset_ms > 3590 * 1000
    assert (answer.open_order_count, answer.open_order_limit) == (1, 10_000_000)
    assert not answer.rate_limit_exempt


async def test_a_used_up_limit_refuses_and_says_when_to_come_back(tight: Floor) -> None:
    alice = tight.alice
    await exhaust(alice)

    call = tight.stubs.orders.PlaceOrder(limit("a-1"), metadata=alice.credential.metadata)
    limits = limits_in(await call.initial_metadata())
    refused = await failure(call)

    assert (limits["ratelimit-remaining"], limits["retry-after"]) == (0, 3600)
    assert (refused.reason, refused.outcome) == ("RATE_LIMITED", "refused")
    assert refused.metadata["scope"] == "key"
    assert int(refused.metadata["retry_after_ms"]) > 3590 * 1000
    tight.clock.advance(3601)
    await tight.venue.sign_in(alice.credential)
    assert (await alice.place(limit("a-1"))).as_of_sequence == 1


async def test_cancels_pass_when_placing_is_used_up(tight: Floor) -> None:
    alice = tight.alice
    await alice.place(limit("a-1"))
    await alice.place(limit("a-2"))
    await exhaust(alice)

    assert (await failure(alice.place(limit("a-3")))).reason == "RATE_LIMITED"
    assert (await failure(alice.amend(amend("a-4", "a-1", quantity="2")))).reason == "RATE_LIMITED"
    assert (await failure(alice.orders())).reason == "RATE_LIMITED"
    await alice.cancel(cancel("a-1"))
    await alice.cancel(cancel("a-2"))
    assert (await failure(alice.cancel(cancel("a-2")))).reason == "RATE_LIMITED"


async def test_commands_of_a_stream_are_limited_one_by_one(tight: Floor) -> None:
    alice = tight.alice
    async with alice.enter() as entry:
        results = await entry.do(
            *(limit(f"a-{number}") for number in range(USABLE + 1)),
            cancel("a-0"),
            cancel("a-1"),
            cancel("a-2"),
        )
        (state,) = entry.tape.rate_limits
    outcomes = [result.WhichOneof("outcome") for result in results]
    # Opening the stream cost a unit.
    assert outcomes == ["order"] * (USABLE - 1) + ["error"] * 2 + ["order"] * 2 + ["error"]
    assert {failure_of(r.error).reason for r in results if r.HasField("error")} == {"RATE_LIMITED"}
    # State of the last command: a cancel, which may use the reserve.
    assert (state.limit, state.remaining) == (BURST, 0)
    assert state.reset_ms > 19 * 3600 * 1000
    tight.clock.advance(20 * 3600)
    await tight.venue.sign_in(alice.credential)
    assert len(await alice.executions()) == USABLE - 1 + 2


async def test_items_of_a_batch_are_limited_one_by_one_and_the_call_costs_one(
    tight: Floor,
) -> None:
    alice, stubs = tight.alice, tight.stubs.orders
    metadata = alice.credential.metadata
    placing = stubs.PlaceOrders(
        order_service_pb2.PlaceOrdersRequest(orders=[limit(f"a-{n}") for n in range(5)]),
        metadata=metadata,
    )
    # What it says is left, is left after its items.
    assert limits_in(await placing.initial_metadata())["ratelimit-remaining"] == USABLE - 6
    assert all(result.HasField("order") for result in (await placing).results)
    # Also when it is refused whole: what was wrong was found after the limit was taken.
    empty = stubs.PlaceOrders(order_service_pb2.PlaceOrdersRequest(), metadata=metadata)
    assert limits_in(await empty.initial_metadata())["ratelimit-remaining"] == USABLE - 7
    assert (await failure(empty)).reason == "FIELD_INVALID"

    results = (await alice.place_many(*(limit(f"b-{n}") for n in range(12)))).results
    outcomes = [result.WhichOneof("outcome") for result in results]
    assert outcomes == ["order"] * 10 + ["error"] * 2
    assert {failure_of(result.error).reason for result in results[10:]} == {"RATE_LIMITED"}
    assert (await failure(alice.place_many(limit("c-1")))).reason == "RATE_LIMITED"

    # The reserve has room for the call and one cancel.
    canceling = stubs.CancelOrders(
        order_service_pb2.CancelOrdersRequest(cancels=[cancel("a-0"), cancel("a-1")]),
        metadata=metadata,
    )
    assert limits_in(await canceling.initial_metadata())["ratelimit-remaining"] == 0
    outcomes = [result.WhichOneof("outcome") for result in (await canceling).results]
    assert outcomes == ["order", "error"]


async def test_a_batch_beyond_the_limit_is_one_refusal_and_keeps_its_order(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    # Refusals are not forgotten within the test.
    policy = replace(TIGHT, refusals=Gcra(1, 200, 10**9))
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, limits=policy)
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), venue.credentials["alice"])
            for number in range(4):
                response = await alice.place_many(*(limit(f"a-{number}-{n}") for n in range(100)))
                outcomes = [result.WhichOneof("outcome") for result in response.results]
                assert outcomes == ["order"] * (USABLE - 1) + ["error"] * (101 - USABLE)
                assert [r.command_number for r in response.results] == list(range(1, 101))
                assert response.results[99].client_order_id == f"a-{number}-99"
                found = failure_of(response.results[99].error)
                # No ban, after more than three hundred orders that were refused.
                assert (found.reason, found.metadata["scope"]) == ("RATE_LIMITED", "key")
                clock.advance(20 * 3600)
                await venue.sign_in(alice.credential)
    audit(venue.app)


async def test_batches_of_a_stream_say_what_is_left(tight: Floor) -> None:
    async with tight.alice.enter() as entry:
        for number in range(3):
            await entry.do(limit(f"a-{number}"))
        left = [state.remaining for state in entry.tape.rate_limits]
    assert left == [USABLE - 2, USABLE - 3, USABLE - 4]


@pytest.mark.parametrize("name", ["StreamExecutions", "StreamAccount", "EnterOrders"])
async def test_a_stream_that_fails_at_once_says_it_in_its_trailers(tight: Floor, name: str) -> None:
    metadata = tight.alice.credential.metadata
    call: Any
    if name == "StreamExecutions":
        execution = execution_service_pb2.StreamExecutionsRequest(after_sequence=99)
        call = tight.stubs.executions.StreamExecutions(execution, metadata=metadata)
        weight = 5
    elif name == "StreamAccount":
        ledger = account_service_pb2.StreamAccountRequest(after_sequence=99)
        call = tight.stubs.accounts.StreamAccount(ledger, metadata=metadata)
        weight = 5
    else:
        call = tight.stubs.orders.EnterOrders(metadata=metadata)
        await call.write(frame(after_sequence=99))
        weight = 1
    assert (await failure(call.read())).reason == "SEQUENCE_OUT_OF_RANGE"
    assert limits_in(await call.initial_metadata()) == {}
    limits = limits_in(await call.trailing_metadata())
    # Opening order entry may use the reserve.
    assert limits["ratelimit-remaining"] == (BURST if name == "EnterOrders" else USABLE) - weight


async def test_a_stream_is_refused_when_the_limit_is_used_up(tight: Floor) -> None:
    await exhaust(tight.alice)
    async with tight.alice.follow() as follower:
        refused = await failure(follower.live())
        trailers = limits_in(await follower.call.trailing_metadata())
    assert refused.reason == "RATE_LIMITED"
    assert trailers["retry-after"] >= 3600
    # Order entry opens all the same: cancels may be on their way.
    async with tight.alice.enter() as entry:
        await entry.live()


async def test_keys_of_one_account_and_other_accounts_have_their_own(tight: Floor) -> None:
    await exhaust(tight.alice)
    other = await tight.venue.create_key("alice")
    await tight.venue.sign_in(other)
    assert (await Trader(tight.stubs, other).place(limit("a-1"))).as_of_sequence == 1
    assert (await tight.bob.place(limit("b-1"))).as_of_sequence == 1


async def test_public_methods_are_limited_by_address(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    policy = LimitPolicy(address=Gcra(1, 10, 3600))
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, limits=policy)
    request = session_service_pb2.GetServerTimeRequest()
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        async with venue.connect() as channel:
            sessions = Stubs(channel).sessions
            for left in range(8, -1, -1):
                call = sessions.GetServerTime(request)
                limits = limits_in(await call.initial_metadata())
                assert limits["ratelimit-remaining"] == left
                await call
            refused = await failure(sessions.GetServerTime(request))
            assert (refused.reason, refused.metadata["scope"]) == ("RATE_LIMITED", "address")
            watch = Stubs(channel).market.StreamMarketData(
                market_data_service_pb2.StreamMarketDataRequest(symbols=["BTC-USD"])
            )
            assert (await failure(watch.read())).reason == "RATE_LIMITED"
        # A gateway in this process says for whom it calls.
        async with venue.connect("in_process") as channel:
            sessions = Stubs(channel).sessions
            for address, passes in (("127.0.0.1", False), ("192.0.2.1", True)):
                call = sessions.GetServerTime(
                    request, metadata=(("x-tradewire-client-address", address),)
                )
                if passes:
                    await call
                else:
                    assert (await failure(call)).reason == "RATE_LIMITED"


async def test_an_exempt_account_has_no_limits_and_hears_of_none(tight: Floor) -> None:
    tight.venue.app.limiter.set_exempt("alice", True)
    alice = tight.alice
    for number in range(BURST + 5):
        await alice.place(limit(f"a-{number}"))
    call = tight.stubs.orders.GetOrder(
        order_service_pb2.GetOrderRequest(client_order_id="a-1"),
        metadata=alice.credential.metadata,
    )
    assert limits_in(await call.initial_metadata()) == {}
    await call
    async with alice.enter() as entry:
        await entry.do(limit("n-1"))
        assert entry.tape.rate_limits == []


async def test_who_goes_on_after_refusals_is_banned_but_may_cancel(
    tight: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else some refusals would be forgiven meanwhile.
    monkeypatch.setattr(enter_orders, "PAUSE_MAX_MS", 0)
    alice = tight.alice
    await alice.place(limit("a-1"))
    await exhaust(alice)
    async with alice.enter() as entry:
        # A frame that is refused is one refusal, and those do not count for which one may wait.
        frames = TIGHT.waits_at_once + TIGHT.refusals.burst + 1
        for _ in range(frames):
            await entry.send(limit("x-0"), limit("x-1"))
        await entry.until(lambda tape: len(tape.results) >= entry.sent)
        banned = failure_of((await entry.do(limit("x-1")))[0].error)
    assert banned.metadata["scope"] == "ban"
    assert (await failure(alice.orders())).metadata["scope"] == "ban"
    await alice.cancel(cancel("a-1"))
