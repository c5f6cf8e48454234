"""What streams cost and how many there may be."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tradewire.v1 import (
    account_service_pb2,
    execution_service_pb2,
    market_data_service_pb2,
    order_service_pb2,
)
from tradewire_contract import methods
from tradewire_server.api import enter_orders
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

from tests.integration.conftest import Floor, LimitedFloor
from tests.support.failures import failure, failure_of
from tests.support.trading import Trader, cancel, frame, limit
from tests.support.venue import SYMBOL
from tests.support.waiting import eventually

KINDS = pytest.mark.parametrize("kind", ["network", "in_process"])
BURST, USABLE = 20, 18
# One unit an hour: within a test nothing flows back.
TIGHT = LimitPolicy(
    key=Gcra(1, BURST, 3600), account=Gcra(1, 1000, 3600), address=Gcra(1, 1000, 3600)
)
EMPTY = frame()
UNSET = order_service_pb2.EnterOrdersRequest(
    commands=[order_service_pb2.OrderCommand(), order_service_pb2.OrderCommand()]
)


async def left(trader: Trader) -> int:
    """Return how many units the key has left, the reserve included."""
    answer = await trader(trader.stubs.accounts.GetLimits, account_service_pb2.GetLimitsRequest())
    (key,) = [state for state in answer.limits if state.name == "key"]
    return key.remaining


async def place_until(trader: Trader, remaining: int) -> None:
    """Place orders until the key has so many units left."""
    for number in range(await left(trader) - remaining):
        await trader.place(limit(f"p-{remaining}-{number}"))


# --- order entry ----------------------------------------------------------------------------------


@KINDS
async def test_opening_order_entry_costs_its_weight(limited: LimitedFloor, kind: str) -> None:
    weight = methods()["/tradewire.v1.OrderService/EnterOrders"].weight
    async with limited(TIGHT, kind) as floor, floor.alice.enter() as first:
        await first.live()
        assert await left(floor.alice) == BURST - weight
        async with floor.alice.enter() as second:
            await second.live()
        assert await left(floor.alice) == BURST - 2 * weight


@KINDS
async def test_the_reserve_opens_order_entry_for_a_cancel(limited: LimitedFloor, kind: str) -> None:
    async with limited(TIGHT, kind) as floor:
        alice = floor.alice
        await place_until(alice, BURST - USABLE)
        assert (await failure(alice.place(limit("x")))).reason == "RATE_LIMITED"
        async with alice.enter() as entry:
            (done,) = await entry.do(cancel(f"p-{BURST - USABLE}-0"))
        assert done.HasField("order")
        assert await left(alice) == 0
        async with alice.enter() as entry:
            refused = await failure(entry.live())
        assert (refused.reason, refused.metadata["scope"]) == ("RATE_LIMITED", "key")


@KINDS
async def test_a_banned_key_may_open_order_entry_to_cancel(
    limited: LimitedFloor, kind: str
) -> None:
    policy = LimitPolicy(
        key=Gcra(1, BURST, 3600),
        account=Gcra(1, 1000, 3600),
        address=Gcra(1, 1000, 3600),
        refusals=Gcra(2, 2, 3600),
        waits_at_once=0,
    )
    async with limited(policy, kind) as floor:
        alice = floor.alice
        await place_until(alice, BURST - USABLE)
        for _ in range(3):
            assert (await failure(alice.place(limit("x")))).metadata["scope"] == "key"
        assert (await failure(alice.place(limit("x")))).metadata["scope"] == "ban"
        async with alice.enter() as entry:
            (done,) = await entry.do(cancel(f"p-{BURST - USABLE}-0"))
        assert done.HasField("order")


@KINDS
async def test_empty_frames_cost_and_end_the_stream_in_band(
    limited: LimitedFloor, kind: str
) -> None:
    async with limited(TIGHT, kind) as floor:
        async with floor.alice.enter() as entry:
            await entry.live()
            for number in range(3):
                await entry.send()
                await entry.do(limit(f"a-{number}"))
                assert entry.tape.rate_limits[-1].remaining == USABLE - 3 - 2 * number
            for _ in range(entry.tape.rate_limits[-1].remaining + 1):
                await entry.send()
            tape = await entry.to_end()
        assert (tape.closed.reason, tape.closed.metadata["scope"]) == ("RATE_LIMITED", "key")
        assert int(tape.closed.metadata["retry_after_ms"]) > 3_500_000
        assert len(tape.results) == 3, "what came before is answered"
        # The reserve is as it was.
        assert await left(floor.alice) == BURST - USABLE


async def test_commands_that_are_none_cost_what_an_order_costs(limited: LimitedFloor) -> None:
    async with limited(TIGHT) as floor, floor.alice.enter() as entry:
        await entry.live()
        count = USABLE - 1
        for _ in range(count // 2 + 1):
            await entry.call.write(UNSET)
        tape = await entry.until(lambda tape: len(tape.results) > count)
    reasons = [failure_of(result.error).reason for result in tape.results]
    assert reasons == ["FIELD_INVALID"] * count + ["RATE_LIMITED"]


@KINDS
async def test_behind_a_frame_that_is_refused_as_a_whole_reading_pauses(
    limited: LimitedFloor, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = 0
    pause_s, sleep = enter_orders.PAUSE_MAX_MS / 1000, asyncio.sleep

    async def count_pauses(seconds: float) -> None:
        nonlocal paused
        paused += seconds == pause_s
        await sleep(0 if seconds == pause_s else seconds)

    async with limited(TIGHT, kind) as floor, floor.alice.enter() as entry:
        await entry.live()
        monkeypatch.setattr(asyncio, "sleep", count_pauses)
        await entry.do(*(limit(f"a-{number}") for number in range(USABLE)))
        await entry.do(limit("x"), cancel("a-0"))
        assert paused == 0, "something passed"
        await entry.do(limit("x"), limit("y"))
        await entry.do(limit("x"))
        (done,) = await entry.do(cancel("a-1"))
        monkeypatch.undo()
    assert paused == 2
    assert done.HasField("order")


@KINDS
async def test_an_exempt_account_pays_nothing_for_frames(limited: LimitedFloor, kind: str) -> None:
    async with limited(TIGHT, kind) as floor:
        floor.venue.app.limiter.set_exempt("alice", True)
        async with floor.alice.enter() as entry:
            for _ in range(BURST + 5):
                await entry.send()
            await entry.do(limit("a-1"))
        assert await left(floor.alice) == BURST


# --- how many -------------------------------------------------------------------------------------


def stream_of(trader: Trader, name: str) -> Any:
    """Open a stream of an account."""
    metadata = trader.credential.metadata
    if name == "StreamExecutions":
        executions = execution_service_pb2.StreamExecutionsRequest()
        return trader.stubs.executions.StreamExecutions(executions, metadata=metadata)
    if name == "StreamAccount":
        ledger = account_service_pb2.StreamAccountRequest()
        return trader.stubs.accounts.StreamAccount(ledger, metadata=metadata)
    return trader.stubs.orders.EnterOrders(metadata=metadata)


async def opened(call: Any, name: str) -> None:
    if name == "EnterOrders":
        await call.write(EMPTY)
    await call.read()


ACCOUNT_STREAMS = ("StreamExecutions", "StreamAccount", "EnterOrders")


@KINDS
async def test_streams_are_counted_per_account_over_kinds_and_keys(
    limited: LimitedFloor, kind: str
) -> None:
    policy = LimitPolicy(streams_per_account=len(ACCOUNT_STREAMS))
    async with limited(policy, kind) as floor, AsyncExitStack() as stack:
        other = await floor.venue.create_key("alice")
        await floor.venue.sign_in(other)
        traders = (floor.alice, Trader(floor.stubs, other), floor.alice)
        calls = []
        for trader, name in zip(traders, ACCOUNT_STREAMS, strict=True):
            call = stream_of(trader, name)
            stack.callback(call.cancel)
            await opened(call, name)
            calls.append(call)
        for trader in traders[:2]:
            for name in ACCOUNT_STREAMS:
                refused = await failure(opened(stream_of(trader, name), name))
                assert refused.reason == "STREAM_LIMIT"
                assert refused.metadata == {"scope": "account", "limit": "3"}
        async with floor.bob.follow() as follower:
            await follower.live()
        # A stream that ends makes room for another one.
        calls[0].cancel()
        await eventually(lambda: floor.venue.app.hub.subscription_count == 2)
        async with floor.alice.follow() as follower:
            await follower.live()


async def test_a_full_venue_is_overloaded_and_nobodys_fault(floor: Floor) -> None:
    hub = floor.venue.app.hub
    hub.bounds = type(hub.bounds)(subscriptions_max=1)
    async with floor.alice.follow() as follower:
        await follower.live()
        async with floor.bob.follow() as refused:
            assert (await failure(refused.live())).reason == "OVERLOADED"


async def test_market_data_streams_are_counted_per_address(limited: LimitedFloor) -> None:
    policy = LimitPolicy(market_streams_per_address=2)
    request = market_data_service_pb2.StreamMarketDataRequest(symbols=[SYMBOL])

    async def opened_from(address: str) -> Any:
        call = floor.stubs.market.StreamMarketData(
            request, metadata=(("x-tradewire-client-address", address),)
        )
        stack.callback(call.cancel)
        await call.read()
        return call

    async with limited(policy, "in_process") as floor, AsyncExitStack() as stack:
        first = await opened_from("2001:db8::1")
        await opened_from("2001:db8::ffff")
        refused = await failure(opened_from("2001:db8:0:0:1::1"))
        assert refused.reason == "STREAM_LIMIT"
        assert refused.metadata == {"scope": "address", "limit": "2"}
        await opened_from("192.0.2.1")
        first.cancel()
        await eventually(lambda: floor.venue.app.market_data.subscription_count == 2)
        await opened_from("2001:db8::2")
