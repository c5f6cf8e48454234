"""PlaceOrders and CancelOrders: each item by itself, in order, in one call."""

import asyncio

import grpc
import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import order_pb2, order_service_pb2
from tradewire_server import sequencer
from tradewire_server.engine.commands import RevokeKey

from tests.integration.conftest import Floor
from tests.support.failures import failure, failure_of
from tests.support.slow_disk import SlowDisk
from tests.support.trading import BUY, SELL, Trader, cancel, limit
from tests.support.waiting import eventually

REJECT = order_pb2.POST_ONLY_REJECT


def outcomes(
    response: order_service_pb2.PlaceOrdersResponse | order_service_pb2.CancelOrdersResponse,
) -> list[str]:
    """Return what became of each item: the reason of its error, or the id of its order."""
    return [
        failure_of(result.error).reason if result.HasField("error") else result.order.order_id
        for result in response.results
    ]


async def test_each_order_has_its_own_result_in_order(alice: Trader, bob: Trader) -> None:
    await bob.place(limit("b-1", SELL, "2", "101"))
    response = await alice.place_many(
        limit("a-1", BUY, "1", "100"),
        limit("a 2"),
        limit("a-3", BUY, "1", "101"),
        limit("a-4", BUY, "1", "102", post_only=REJECT),
        limit("a-5", symbol="BTC-EUR"),
        limit("a-6", BUY, "2", "99"),
    )
    assert [result.command_number for result in response.results] == [1, 2, 3, 4, 5, 6]
    ids = [result.client_order_id for result in response.results]
    assert ids == ["a-1", "a 2", "a-3", "a-4", "a-5", "a-6"]
    first, bad, taker, rejected, unknown, last = response.results
    assert first.order.status == last.order.status == order_pb2.ORDER_STATUS_NEW
    assert taker.order.status == order_pb2.ORDER_STATUS_FILLED
    assert failure_of(bad.error).reason == "FIELD_INVALID"
    assert failure_of(bad.error).fields == ("client_order_id",)
    found = failure_of(rejected.error)
    assert (found.reason, found.outcome) == ("POST_ONLY_WOULD_TRADE", "rejected")
    assert failure_of(unknown.error).reason == "INSTRUMENT_NOT_FOUND"

    executions = await alice.executions()
    assert [e.order.client_order_id for e in executions] == ["a-1", "a-3", "a-3", "a-4", "a-6"]
    # The answer of each is as its unary method gives it; those that left no trace are true now.
    assert [result.as_of_sequence for result in response.results] == [1, 5, 3, 4, 5, 5]
    assert found.metadata["sequence"] == "4"
    assert response.as_of_sequence == 5
    for result in (first, last):
        assert result.order == (await alice.get(result.client_order_id)).order


async def test_several_orders_are_canceled_in_one_call(alice: Trader, bob: Trader) -> None:
    await bob.place(limit("b-1", BUY, "1", "50"))
    placed = (await alice.place_many(*(limit(f"a-{n}") for n in range(3)))).results
    response = await alice.cancel_many(
        cancel("a-0", "c-0"),
        cancel("b-1"),
        order_service_pb2.CancelOrderRequest(order_id=placed[2].order.order_id),
        cancel("a-0"),
        order_service_pb2.CancelOrderRequest(),
    )
    assert outcomes(response) == [
        placed[0].order.order_id,
        "ORDER_NOT_FOUND",
        placed[2].order.order_id,
        "ORDER_CLOSED",
        "FIELD_INVALID",
    ]
    assert response.results[0].order.status == order_pb2.ORDER_STATUS_CANCELED
    assert response.results[0].client_order_id == "c-0"
    assert response.as_of_sequence == 5
    assert [o.client_order_id for o in (await alice.orders()).orders] == ["a-1"]
    assert len((await bob.orders()).orders) == 1


async def test_a_batch_of_a_quiet_venue_is_one_commit(
    floor: Floor, alice: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is.
    monkeypatch.setattr(sequencer, "BATCH_WORK_S", 60)
    await alice.place(limit("first"))
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    placing = asyncio.create_task(alice.place_many(*(limit(f"a-{n}") for n in range(100))))
    await disk.held()
    # What waits for the disk is all of it.
    assert floor.venue.app.sequencer.queue_length == 0
    disk.release()
    response = await placing
    assert [result.as_of_sequence for result in response.results] == list(range(2, 102))


async def test_a_batch_that_is_executed_in_parts_is_answered_whole(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    await alice.place(limit("first"))
    await bob.place(limit("b-1"))
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    # Behind a commit, together with others, and with room for few at a time.
    first = asyncio.create_task(bob.place(limit("b-2")))
    await disk.held()
    placing = asyncio.create_task(alice.place_many(*(limit(f"a-{n}") for n in range(10))))
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 10)
    floor.venue.app.sequencer._batch_size = 4
    await disk.let_one_pass()
    assert floor.venue.app.sequencer.queue_length > 0
    assert not placing.done()
    disk.release()
    response = await placing
    await first
    assert [r.order.client_order_id for r in response.results] == [f"a-{n}" for n in range(10)]
    assert [r.as_of_sequence for r in response.results] == list(range(2, 12))
    assert response.as_of_sequence == 11


@pytest.mark.parametrize("count", [0, 101, 5_000])
async def test_a_batch_of_none_or_too_many_is_refused_whole(
    floor: Floor, alice: Trader, count: int
) -> None:
    before = floor.venue.app.journal.last_event()
    placing = await failure(alice.place_many(*(limit(f"a-{n}") for n in range(count))))
    canceling = await failure(alice.cancel_many(*(cancel(f"a-{n}") for n in range(count))))
    assert (placing.reason, placing.outcome, placing.fields) == (
        "FIELD_INVALID",
        "refused",
        ("orders",),
    )
    assert (canceling.reason, canceling.fields) == ("FIELD_INVALID", ("cancels",))
    assert floor.venue.app.journal.last_event() == before


async def test_a_repeated_batch_returns_the_first_answers(alice: Trader, bob: Trader) -> None:
    await bob.place(limit("b-1", SELL, "1", "101"))
    orders = [
        limit("a-1", BUY, "1", "101"),
        limit("a-2", BUY, "1", "100"),
        limit("a-3", symbol="BTC-EUR"),
        limit("a-4", BUY, "1", "102", post_only=REJECT),
    ]
    await bob.place(limit("b-2", SELL, "1", "102"))
    first = await alice.place_many(*orders)
    canceled = await alice.cancel_many(cancel("a-2", "c-2"))
    await bob.cancel(cancel("b-2"))

    again = await alice.place_many(*orders, limit("a-5"), limit("a-2", BUY, "2", "100"))
    for number in (0, 1, 3):
        assert again.results[number] == first.results[number]
    assert failure_of(again.results[2].error) == failure_of(first.results[2].error)
    assert again.results[4].order.client_order_id == "a-5"
    assert failure_of(again.results[5].error).reason == "CLIENT_ORDER_ID_REUSED"
    assert await alice.cancel_many(cancel("a-2", "c-2")) == canceled_now(canceled, 6)
    # And in whichever other way it is asked.
    assert (await alice.place(orders[1])).order == first.results[1].order
    assert len(await alice.executions()) == 6


def canceled_now(
    response: order_service_pb2.CancelOrdersResponse, sequence: int
) -> order_service_pb2.CancelOrdersResponse:
    """Return a response as a repeat has it: the results of then, as of now."""
    expected = order_service_pb2.CancelOrdersResponse()
    expected.CopyFrom(response)
    expected.as_of_sequence = sequence
    return expected


async def test_an_id_that_comes_twice_in_a_batch_is_one_order(alice: Trader) -> None:
    response = await alice.place_many(limit("a-1"), limit("a-1"), limit("a-1", quantity="2"))
    one, same, other = response.results
    assert one.order == same.order
    assert failure_of(other.error).reason == "CLIENT_ORDER_ID_REUSED"
    assert len(await alice.executions()) == 1


async def test_the_account_of_an_item_is_that_of_the_batch(alice: Trader) -> None:
    response = await alice.place_many(
        limit("a-1", account="alice"), limit("a-2", account="bob"), limit("a-3"), account="alice"
    )
    assert [result.WhichOneof("outcome") for result in response.results] == [
        "order",
        "error",
        "order",
    ]
    found = failure_of(response.results[1].error)
    assert (found.reason, found.fields) == ("ACCOUNT_NOT_FOUND", ("account",))
    whole = await failure(alice.place_many(limit("a-4", account="bob"), account="bob"))
    assert (whole.reason, whole.fields) == ("ACCOUNT_NOT_FOUND", ("account",))


async def test_a_full_queue_refuses_the_whole_batch_but_has_a_reserve_for_cancels(
    floor: Floor, alice: Trader, bob: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.place(limit("a-0"))
    monkeypatch.setattr(sequencer, "QUEUE_COMMANDS_MAX", 3)
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    first = asyncio.create_task(bob.place(limit("b-0")))
    await disk.held()
    refused = await failure(alice.place_many(*(limit(f"a-{n}") for n in range(1, 5))))
    canceling = asyncio.create_task(
        alice.cancel_many(cancel("a-0"), cancel("a-9"), cancel("a-8"), cancel("a 7"))
    )
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 4)
    disk.release()
    await first
    assert (refused.reason, refused.outcome) == ("OVERLOADED", "refused")
    monkeypatch.undo()
    found = outcomes(await canceling)
    assert found[1:] == ["ORDER_NOT_FOUND", "ORDER_NOT_FOUND", "FIELD_INVALID"]
    # Nothing of the other was queued: the ids are free.
    placed = await alice.place_many(*(limit(f"a-{n}", quantity="3") for n in range(1, 5)))
    assert [result.as_of_sequence for result in placed.results] == [3, 4, 5, 6]


async def test_items_that_are_too_old_have_no_effect(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    first = asyncio.create_task(bob.place(limit("b-1")))
    await disk.held()
    request = order_service_pb2.PlaceOrdersRequest(orders=[limit("a-1"), limit("a-2")])
    late = asyncio.create_task(alice(alice.stubs.orders.PlaceOrders, request, timeout=0.15))
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 2)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await late
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    disk.release()
    await first
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 0)
    assert await alice.executions() == []

    response = await alice.place_many(
        limit("a-1", valid_until=Timestamp(seconds=1)), limit("a-2", valid_until=Timestamp())
    )
    assert outcomes(response) == ["DEADLINE_PASSED"] * 2
    assert (await alice.place(limit("a-1"))).as_of_sequence == 1


async def test_a_client_that_goes_away_does_not_take_its_batch_with_it(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    first = asyncio.create_task(bob.place(limit("b-1")))
    await disk.held()
    going = asyncio.create_task(alice.place_many(limit("a-1"), limit("a-2")))
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 2)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    disk.release()
    await first
    assert (await alice.get("a-2")).order.client_order_id == "a-2"


async def test_a_key_that_is_revoked_while_its_batch_waits_enters_nothing(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    revoking = asyncio.create_task(floor.venue.submit(RevokeKey("alice", alice.credential.key_id)))
    await disk.held()
    placing = asyncio.create_task(alice.place_many(limit("a-1"), limit("a-2")))
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 2)
    disk.release()
    await revoking
    assert outcomes(await placing) == ["KEY_REVOKED"] * 2
    assert floor.venue.app.state.accounts["alice"].sequence == 0
