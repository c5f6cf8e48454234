"""Orders that are not filled: counted per account however they are placed, given back by a fill."""

from pathlib import Path

import pytest
from tradewire.v1 import account_service_pb2, order_pb2, order_service_pb2
from tradewire_server.app import Settings
from tradewire_server.auth.limit_policy import LimitPolicy
from tradewire_server.engine.commands import UpdateAccount

from tests.integration.conftest import Complaints, Floor, LimitedFloor
from tests.support.failures import Failure, failure, failure_of
from tests.support.trading import SELL, Trader, amend, cancel, limit, market
from tests.support.venue import Clock, Stubs, running_venue

KINDS = pytest.mark.parametrize("kind", ["network", "in_process"])
LIMIT = 3
# Begun in 2001 and ended in 2033: no test runs beyond its end.
INTERVAL_S = 10**9
POLICY = LimitPolicy(unfilled_orders=((INTERVAL_S, LIMIT),))


def check_refusal(refused: Failure) -> None:
    assert (refused.reason, refused.outcome) == ("RATE_LIMITED", "refused")
    assert refused.metadata["scope"] == "unfilled_orders"
    assert refused.metadata["limit"] == str(LIMIT)
    assert refused.metadata["interval_seconds"] == str(INTERVAL_S)
    assert 0 < int(refused.metadata["retry_after_ms"]) <= 1000 * INTERVAL_S
    assert "a fill gives back" in refused.text


async def left(trader: Trader) -> int:
    answer = await trader(trader.stubs.accounts.GetLimits, account_service_pb2.GetLimitsRequest())
    (count,) = answer.unfilled_orders
    assert (count.interval_seconds, count.limit) == (INTERVAL_S, LIMIT)
    assert 0 < count.reset_ms <= 1000 * INTERVAL_S
    return count.remaining


async def fill_up(trader: Trader) -> None:
    for number in range(LIMIT):
        await trader.place(limit(f"full-{number}"))


@KINDS
async def test_a_batch_with_an_order_too_many_says_how_long_to_wait(
    limited: LimitedFloor, kind: str
) -> None:
    async with limited(POLICY, kind) as floor:
        waits, answer = [], order_service_pb2.PlaceOrdersResponse()
        for count in (LIMIT, 1):
            orders = [limit(f"{count}-{number}") for number in range(count)]
            call = floor.stubs.orders.PlaceOrders(
                order_service_pb2.PlaceOrdersRequest(orders=orders),
                metadata=floor.alice.credential.metadata,
            )
            waits.append([v for k, v in await call.initial_metadata() if k == "retry-after"])
            answer = await call
        refused = failure_of(answer.results[0].error)
        check_refusal(refused)
        assert waits == [[], [str(-(-int(refused.metadata["retry_after_ms"]) // 1000))]]


@KINDS
async def test_an_order_too_many_is_refused_until_one_trades(
    limited: LimitedFloor, kind: str
) -> None:
    async with limited(POLICY, kind) as floor:
        alice = floor.alice
        assert await left(alice) == LIMIT
        await fill_up(alice)
        assert await left(alice) == 0

        call = floor.stubs.orders.PlaceOrder(limit("x"), metadata=alice.credential.metadata)
        refused = await failure(call)
        check_refusal(refused)
        (retry_after,) = [v for k, v in await call.initial_metadata() if k == "retry-after"]
        assert int(retry_after) == -(-int(refused.metadata["retry_after_ms"]) // 1000)
        check_refusal(await failure(alice.place(market("x", SELL, quantity="9999"))))
        # Neither cancels nor amends nor repeats are orders, and none of them gives back.
        await alice.cancel(cancel("full-0"))
        await alice.amend(amend("m-1", "full-1", price="99"))
        assert (await alice.place(limit("full-2"))).order.client_order_id == "full-2"
        check_refusal(await failure(alice.place(limit("x"))))
        # Of other accounts nothing is known.
        assert await left(floor.bob) == LIMIT
        await floor.bob.place(market("b-1", SELL, quantity="0.5"))
        assert await left(floor.bob) == LIMIT
        assert await left(alice) == 1
        assert (await alice.place(limit("x"))).order.client_order_id == "x"
        check_refusal(await failure(alice.place(limit("y"))))
        assert [e.order.client_order_id for e in await alice.executions()][-1] == "x"


@KINDS
async def test_on_a_stream_and_in_a_batch_it_is_the_result_of_that_order(
    limited: LimitedFloor, kind: str
) -> None:
    async with limited(POLICY, kind) as floor:
        alice = floor.alice
        async with alice.enter() as entry:
            results = await entry.do(*(limit(f"s-{n}") for n in range(2)), limit("bad id"))
            assert [r.WhichOneof("outcome") for r in results] == ["order", "order", "error"]
            assert await left(alice) == 1
            batch = (await alice.place_many(*(limit(f"b-{n}") for n in range(3)))).results
            assert [r.WhichOneof("outcome") for r in batch] == ["order", "error", "error"]
            results = await entry.do(limit("s-9"), cancel("s-0"), limit("s-10"))
            assert [r.WhichOneof("outcome") for r in results] == ["error", "order", "error"]
            for result in (*batch[1:], results[0], results[2]):
                check_refusal(failure_of(result.error))
            await floor.bob.place(market("b-1", SELL, quantity="1"))
            (placed,) = await entry.do(limit("s-9"))
            assert placed.HasField("order")
        check_refusal(await failure(alice.place(limit("x"))))


async def test_what_is_refused_or_rejected_is_not_counted(limited: LimitedFloor) -> None:
    async with limited(POLICY) as floor:
        alice = floor.alice
        await floor.bob.place(limit("b-1", SELL))
        for number in range(LIMIT + 1):
            crossing = limit(f"r-{number}", post_only=order_pb2.POST_ONLY_REJECT)
            rejected = await failure(alice.place(crossing))
            assert (rejected.reason, rejected.outcome) == ("POST_ONLY_WOULD_TRADE", "rejected")
            refused = await failure(alice.place(limit("off-tick", price="100.001")))
            assert refused.outcome == "refused"
            assert await left(alice) == LIMIT


async def test_market_makers_are_exempt(limited: LimitedFloor) -> None:
    async with limited(POLICY) as floor:
        alice = floor.alice
        await floor.venue.submit(UpdateAccount("alice", rate_limit_exempt=True))
        async with alice.enter() as entry:
            results = await entry.do(*(limit(f"a-{n}") for n in range(3 * LIMIT)))
        assert all(result.HasField("order") for result in results)
        answer = await alice(floor.stubs.accounts.GetLimits, account_service_pb2.GetLimitsRequest())
        assert answer.rate_limit_exempt
        await floor.venue.submit(UpdateAccount("alice", rate_limit_exempt=False))
        assert await left(alice) == LIMIT
        await fill_up(alice)
        check_refusal(await failure(alice.place(limit("x"))))


async def test_by_default_a_limit_of_an_interval_and_of_a_day_apply(floor: Floor) -> None:
    answer = await floor.alice(
        floor.stubs.accounts.GetLimits, account_service_pb2.GetLimitsRequest()
    )
    counts = {c.interval_seconds: (c.limit, c.remaining) for c in answer.unfilled_orders}
    assert counts == {10: (10_000, 10_000), 86_400: (2_000_000, 2_000_000)}


async def test_a_restart_starts_at_zero_and_old_orders_still_trade(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    settings = Settings(data_dir=data_dir, grpc_port=0, admin_port=0, drain_s=0.2, limits=POLICY)
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        await venue.provision(["alice", "bob"])
        credentials = venue.credentials
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), credentials["alice"])
            await fill_up(alice)
            assert await left(alice) == 0
    async with running_venue(data_dir, settings=settings, clock_ns=clock) as venue:
        # Signatures of the time before the restart are refused.
        clock.advance(2)
        for credential in credentials.values():
            await venue.sign_in(credential)
        async with venue.connect() as channel:
            stubs = Stubs(channel)
            alice, bob = (Trader(stubs, credentials[name]) for name in ("alice", "bob"))
            assert await left(alice) == LIMIT
            await bob.place(market("b-1", SELL, quantity="1"))
            assert await left(alice) == LIMIT
            await alice.place(limit("n-1"))
            orders = await alice.orders(filter=order_service_pb2.ORDER_FILTER_OPEN)
            assert len(orders.orders) == LIMIT
            # A fill counts where it happens, whenever the order was placed.
            await bob.place(market("b-2", SELL, quantity="1"))
            assert await left(alice) == LIMIT
