"""Commands that wait: behind a commit, behind a full queue, beyond their deadline."""

import asyncio

import grpc
import grpc.aio
import pytest
from tradewire_server import sequencer

from tests.integration.conftest import Floor
from tests.support.failures import failure, failure_of
from tests.support.slow_disk import SlowDisk
from tests.support.trading import Trader, amend, cancel, limit
from tests.support.waiting import eventually

DEADLINE_S = 0.15


async def deadline_exceeded(call: "asyncio.Task[object]") -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_command_that_is_still_waiting_at_its_deadline_has_no_effect(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    await alice.place(limit("a-0", quantity="2"))
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    first = asyncio.create_task(bob.place(limit("b-1")))
    await disk.held()
    orders = alice.stubs.orders
    late = [
        asyncio.create_task(alice(orders.PlaceOrder, limit("a-1"), timeout=DEADLINE_S)),
        asyncio.create_task(
            alice(orders.AmendOrder, amend("a-2", "a-0", quantity="1"), timeout=DEADLINE_S)
        ),
        asyncio.create_task(alice(orders.CancelOrder, cancel("a-0", "a-3"), timeout=DEADLINE_S)),
    ]
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 3)
    for call in late:
        await deadline_exceeded(call)
    disk.release()
    await first
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 0)

    assert (await alice.get("a-0")).order.quantity == "2"
    assert (await failure(alice.get("a-1"))).reason == "ORDER_NOT_FOUND"
    assert len(await alice.executions()) == 1
    # The ids are free: what is still wanted is sent again.
    assert (await alice.place(limit("a-1"))).as_of_sequence == 2


async def test_a_command_that_was_under_way_at_its_deadline_can_be_asked_for(
    floor: Floor, alice: Trader
) -> None:
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    placing = asyncio.create_task(
        alice(alice.stubs.orders.PlaceOrder, limit("a-1"), timeout=DEADLINE_S)
    )
    await disk.held()
    await deadline_exceeded(placing)
    disk.release()

    # Both ways to find out, in whichever order.
    order = (await alice.get("a-1")).order
    assert (await alice.place(limit("a-1"))).order == order
    assert len(await alice.executions()) == 1


async def test_a_full_queue_is_said_at_once_and_results_stay_in_order(
    floor: Floor, alice: Trader, bob: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.place(limit("a-0"))
    monkeypatch.setattr(sequencer, "QUEUE_COMMANDS_MAX", 5)
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    async with alice.enter() as entry:
        await entry.live()
        first = asyncio.create_task(bob.place(limit("b-1")))
        await disk.held()
        await entry.send(limit("a-1"), limit("a-2"), limit("a-3"))
        await entry.send(limit("a-4"), limit("a-5"))
        await entry.send(limit("a-6"), limit("a-7"))
        await eventually(lambda: floor.venue.app.sequencer.queue_length == 7)
        overloaded = await failure(bob.place(limit("b-2")))
        disk.release()
        tape = await entry.until(lambda tape: len(tape.results) == 7)
        await first

    assert (overloaded.reason, overloaded.outcome) == ("OVERLOADED", "refused")
    assert [result.client_order_id for result in tape.results] == [f"a-{n}" for n in range(1, 8)]
    outcomes = [result.WhichOneof("outcome") for result in tape.results]
    assert outcomes == ["order"] * 5 + ["error"] * 2
    for result in tape.results[5:]:
        assert failure_of(result.error).reason == "OVERLOADED"
    monkeypatch.undo()
    # Nothing of it was queued: the ids are free.
    assert (await alice.place(limit("a-6"))).order.client_order_id == "a-6"
    assert (await bob.place(limit("b-2"))).order.client_order_id == "b-2"


async def test_a_cancel_passes_a_queue_that_is_full(
    floor: Floor, alice: Trader, bob: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.place(limit("a-0"))
    monkeypatch.setattr(sequencer, "QUEUE_COMMANDS_MAX", 3)
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    first = asyncio.create_task(bob.place(limit("b-0")))
    await disk.held()
    filling = [asyncio.create_task(bob.place(limit(f"b-{n}"))) for n in range(1, 4)]
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 3)
    assert (await failure(alice.place(limit("a-1")))).reason == "OVERLOADED"
    canceling = asyncio.create_task(alice.cancel(cancel("a-0", "a-2")))
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 4)
    disk.release()
    assert (await canceling).order.client_order_id == "a-0"
    await asyncio.gather(first, *filling)


async def test_a_client_that_goes_away_does_not_take_its_command_with_it(
    floor: Floor, alice: Trader, bob: Trader
) -> None:
    disk = SlowDisk(floor.venue.app)
    disk.hold()
    first = asyncio.create_task(bob.place(limit("b-1")))
    await disk.held()
    going = asyncio.create_task(alice.place(limit("a-1")))
    await eventually(lambda: floor.venue.app.sequencer.queue_length == 1)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    disk.release()
    await first
    assert (await alice.get("a-1")).order.client_order_id == "a-1"
