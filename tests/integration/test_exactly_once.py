"""Exactly once: a retry with equal content gets the first answer, whatever happened meanwhile."""

import asyncio
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import order_pb2, order_service_pb2

from tests.integration.conftest import Complaints, Floor
from tests.support.audit import audit
from tests.support.failures import failure, failure_of
from tests.support.trading import BUY, GTC, IOC, SELL, Trader, amend, cancel, limit, market
from tests.support.venue import Clock, Stubs, running_venue

# The memory of a working order: its first client order id and the 16 latest.
REMEMBERED_IDS = 17


async def chain(trader: Trader, length: int) -> list[str]:
    """Place an order and amend it until so many client order ids lead to it."""
    ids = [f"c-{number}" for number in range(length)]
    await trader.place(limit(ids[0], quantity="50"))
    for number in range(1, length):
        request = amend(ids[number], ids[number - 1], quantity=str(50 - number))
        await trader.amend(request)
    return ids


async def test_a_retry_while_the_order_rests_returns_the_first_answer(alice: Trader) -> None:
    first = await alice.place(limit("a-1"))
    assert await alice.place(limit("a-1")) == first
    assert len(await alice.executions()) == 1


async def test_a_retry_after_the_fill_returns_the_first_answer(alice: Trader, bob: Trader) -> None:
    first = await alice.place(limit("a-1", SELL))
    await bob.place(limit("b-1", BUY))
    assert (await alice.get("a-1")).order.status == order_pb2.ORDER_STATUS_FILLED

    assert await alice.place(limit("a-1", SELL)) == first
    assert len(await alice.executions()) == 2


async def test_a_retry_of_a_taker_returns_its_fills(alice: Trader, bob: Trader) -> None:
    await alice.place(limit("a-1", SELL, "3"))
    first = await bob.place(limit("b-1", BUY, "1"))
    await bob.place(limit("b-2", BUY, "1"))

    assert await bob.place(limit("b-1", BUY, "1")) == first
    assert first.order.status == order_pb2.ORDER_STATUS_FILLED


async def test_a_retry_of_a_rejected_order_is_rejected_as_before(
    alice: Trader, bob: Trader
) -> None:
    request = limit("b-1", BUY, post_only=order_pb2.POST_ONLY_REJECT)
    await alice.place(limit("a-1", SELL))
    first = await failure(bob.place(request))
    await alice.cancel(cancel("a-1"))

    again = await failure(bob.place(request))

    assert again == first
    assert again.metadata == first.metadata
    assert len(await bob.executions()) == 1


async def test_a_retry_of_an_amend_returns_the_first_answer(alice: Trader) -> None:
    await alice.place(limit("a-1", quantity="5"))
    first = await alice.amend(amend("a-2", "a-1", quantity="4"))
    await alice.amend(amend("a-3", "a-1", quantity="3"))

    assert await alice.amend(amend("a-2", "a-1", quantity="4")) == first
    assert first.priority_kept
    await alice.cancel(cancel("a-1"))
    assert await alice.amend(amend("a-2", "a-1", quantity="4")) == first
    assert len(await alice.executions()) == 4


async def test_a_retry_of_an_amend_that_traded_returns_its_fills(
    alice: Trader, bob: Trader
) -> None:
    await alice.place(limit("a-1", SELL, "1", "101"))
    await bob.place(limit("b-1", BUY, "2", "100"))
    first = await bob.amend(amend("b-2", "b-1", price="101"))
    assert first.order.status == order_pb2.ORDER_STATUS_PARTIALLY_FILLED
    await bob.cancel(cancel("b-1"))

    assert await bob.amend(amend("b-2", "b-1", price="101")) == first


async def test_a_retry_of_a_cancel_returns_the_first_answer(alice: Trader) -> None:
    await alice.place(limit("a-1"))
    first = await alice.cancel(cancel("a-1", "a-2"))

    assert await alice.cancel(cancel("a-1", "a-2")) == first
    # Without an id of its own, the retry is a new cancel.
    assert (await failure(alice.cancel(cancel("a-1")))).reason == "ORDER_CLOSED"


async def test_the_content_is_what_was_asked_for_and_not_how_it_was_written(
    alice: Trader,
) -> None:
    first = await alice.place(limit("a-1", quantity="1.50", price="0100.00"))

    same = [
        limit("a-1", quantity="1.5", price="100"),
        limit("a-1", quantity="01.5", price="100.0", account="alice"),
        limit("a-1", quantity="1.5", price="100", time_in_force=GTC),
        limit("a-1", quantity="1.5", price="100", valid_until=Timestamp(seconds=1 << 33)),
    ]
    for request in same:
        assert await alice.place(request) == first


@pytest.mark.parametrize(
    "other",
    [
        limit("a-1", quantity="2"),
        limit("a-1", price="101"),
        limit("a-1", SELL, price="200"),
        limit("a-1", symbol="ETH-USD"),
        limit("a-1", time_in_force=IOC),
        limit("a-1", post_only=order_pb2.POST_ONLY_REJECT),
        limit("a-1", self_trade_prevention=order_pb2.SELF_TRADE_PREVENTION_CANCEL_NEWEST),
        market("a-1", quantity="1"),
        # The look-up comes before every rule of the engine.
        limit("a-1", price="100.001"),
        limit("a-1", symbol="NO-SUCH"),
    ],
)
async def test_an_id_is_not_for_other_content(
    alice: Trader, other: order_service_pb2.PlaceOrderRequest
) -> None:
    await alice.place(limit("a-1"))

    reused = await failure(alice.place(other))

    assert (reused.reason, reused.outcome) == ("CLIENT_ORDER_ID_REUSED", "refused")
    assert reused.fields == ("client_order_id",)
    assert len(await alice.executions()) == 1


async def test_places_amends_and_cancels_share_one_space_of_ids(alice: Trader) -> None:
    await alice.place(limit("a-1", quantity="5"))
    await alice.amend(amend("a-2", "a-1", quantity="4"))
    await alice.place(limit("a-4"))
    await alice.cancel(cancel("a-4", "a-5"))

    for taken in ("a-1", "a-2", "a-4", "a-5"):
        assert (await failure(alice.cancel(cancel("a-1", taken)))).reason == (
            "CLIENT_ORDER_ID_REUSED"
        )
        assert (await failure(alice.amend(amend(taken, "a-1", quantity="3")))).reason == (
            "CLIENT_ORDER_ID_REUSED"
        )
        assert (await failure(alice.place(limit(taken, quantity="9")))).reason == (
            "CLIENT_ORDER_ID_REUSED"
        )


async def test_every_account_has_its_own_space_of_ids(alice: Trader, bob: Trader) -> None:
    hers = await alice.place(limit("same"))
    his = await bob.place(limit("same", quantity="2"))

    assert hers.order.order_id != his.order.order_id
    assert (await alice.get("same")).order == hers.order
    assert (await bob.get("same")).order == his.order


async def test_concurrent_duplicates_have_one_effect(alice: Trader) -> None:
    answers = await asyncio.gather(*(alice.place(limit("a-1")) for _ in range(20)))

    assert all(answer == answers[0] for answer in answers)
    assert len(await alice.executions()) == 1


async def test_duplicates_over_unary_calls_and_streams_have_one_effect(alice: Trader) -> None:
    async with alice.enter() as one, alice.enter() as two:
        results, more, answer = await asyncio.gather(
            one.do(limit("a-1"), limit("a-1")),
            two.do(limit("a-1"), limit("a-1")),
            alice.place(limit("a-1")),
        )
    assert all(result.order == answer.order for result in (*results, *more))
    assert len(await alice.executions()) == 1


async def test_within_one_frame_the_first_command_takes_the_id(alice: Trader) -> None:
    async with alice.enter() as entry:
        results = await entry.do(
            limit("a-1"),
            limit("a-1"),
            limit("a-1", price="101"),
            cancel("a-1", "a-2"),
            cancel("a-1", "a-2"),
            limit("a-1"),
            amend("a-3", "a-1", quantity="2"),
        )

    assert results[0].order == results[1].order == results[5].order
    assert failure_of(results[2].error).reason == "CLIENT_ORDER_ID_REUSED"
    assert results[3].order == results[4].order
    assert failure_of(results[6].error).reason == "ORDER_CLOSED"
    assert len(await alice.executions()) == 2


async def test_a_refused_command_leaves_its_id_free_within_one_frame(alice: Trader) -> None:
    async with alice.enter() as entry:
        results = await entry.do(limit("a-1", price="0.001"), limit("a-1"))

    assert failure_of(results[0].error).reason == "PRICE_OFF_TICK"
    assert results[1].order.client_order_id == "a-1"


async def test_an_order_is_found_by_any_id_of_its_chain(alice: Trader) -> None:
    ids = await chain(alice, REMEMBERED_IDS + 8)

    order = (await alice.get(ids[0])).order
    assert (order.client_order_id, order.original_client_order_id) == (ids[-1], ids[0])
    for client_order_id in ids:
        assert (await alice.get(client_order_id)).order == order
    closed = await alice.cancel(cancel(ids[3], "c-cancel"))
    for client_order_id in (*ids, "c-cancel"):
        assert (await alice.get(client_order_id)).order == closed.order


async def test_an_order_is_amended_by_any_id_of_its_chain(alice: Trader) -> None:
    ids = await chain(alice, REMEMBERED_IDS + 8)

    answer = await alice.amend(amend("late", ids[4], quantity="1"))

    assert answer.order.client_order_id == "late"
    assert answer.order.quantity == "1"


async def test_a_retry_by_a_long_forgotten_id_of_the_chain_returns_the_first_answer(
    alice: Trader,
) -> None:
    ids = await chain(alice, REMEMBERED_IDS + 8)
    amended = await alice.amend(amend("late-1", ids[4], quantity="1"))
    canceled = await alice.cancel(cancel(ids[4], "late-2"))

    assert await alice.amend(amend("late-1", ids[4], quantity="1")) == amended
    assert await alice.cancel(cancel(ids[4], "late-2")) == canceled
    other = await failure(alice.amend(amend("late-1", ids[5], quantity="1")))
    assert other.reason == "CLIENT_ORDER_ID_REUSED"


async def test_no_id_of_a_working_chain_can_be_taken_again(alice: Trader) -> None:
    ids = await chain(alice, REMEMBERED_IDS + 8)
    for client_order_id in ids:
        reused = await failure(alice.place(limit(client_order_id, quantity="7")))
        assert reused.reason == "CLIENT_ORDER_ID_REUSED"


async def test_retries_after_a_restart_have_no_second_effect(
    data_dir: Path, clock: Clock, complaints: Complaints
) -> None:
    async with running_venue(data_dir, clock_ns=clock) as venue:
        await venue.provision(["alice"])
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), venue.credentials["alice"])
            ids = await chain(alice, REMEMBERED_IDS + 3)
            amended = await alice.amend(amend("late-1", ids[4], quantity="1"))
            resting = await alice.place(limit("s-1", SELL, price="200"))
            canceled = await alice.cancel(cancel(ids[4], "late-2"))
            executions = await alice.executions()
        credential = venue.credentials["alice"]
    async with running_venue(data_dir, clock_ns=clock) as venue:
        clock.advance(2)
        await venue.sign_in(credential)
        async with venue.connect() as channel:
            alice = Trader(Stubs(channel), credential)
            assert await alice.amend(amend("late-1", ids[4], quantity="1")) == amended
            assert await alice.place(limit("s-1", SELL, price="200")) == resting
            assert await alice.cancel(cancel(ids[4], "late-2")) == canceled
            assert await alice.executions() == executions
            assert (await alice.get(ids[7])).order == (await alice.get("late-2")).order
    audit(venue.app)


async def test_an_id_is_known_for_at_least_a_day(floor: Floor, alice: Trader) -> None:
    first = await alice.place(limit("a-1"))
    await alice.cancel(cancel("a-1"))
    floor.clock.advance(24 * 3600 - 60)
    await floor.venue.sign_in(alice.credential)

    assert await alice.place(limit("a-1")) == first
