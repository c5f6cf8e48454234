"""EnterOrders: frames of commands in; results and executions out, in the order of the journal."""

import asyncio
from typing import Any

import grpc.aio
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import order_pb2, order_service_pb2
from tradewire_server.api import enter_orders

from tests.integration.conftest import Complaints, Floor
from tests.support.failures import failure, failure_of
from tests.support.trading import BUY, IOC, SELL, Trader, amend, cancel, frame, limit
from tests.support.waiting import eventually

FRAME_MAX = 256


async def test_results_follow_the_executions_that_they_refer_to(alice: Trader) -> None:
    async with alice.enter() as entry:
        results = await entry.do(
            limit("a-1", SELL, "2", "100"),
            limit("a-2", BUY, "1", "100"),
            amend("a-3", "a-1", quantity="1.5"),
            cancel("a-3", "a-4"),
            order_service_pb2.CancelAllOrdersRequest(),
        )
        executions = entry.tape.executions

    assert [result.command_number for result in results] == [1, 2, 3, 4, 5]
    assert [result.client_order_id for result in results] == ["a-1", "a-2", "a-3", "a-4", ""]
    assert [result.as_of_sequence for result in results] == [1, 3, 5, 6, 6]
    assert [e.sequence for e in executions] == [1, 2, 3, 4, 5, 6]
    assert executions == await alice.executions()
    for result in results[:4]:
        last = executions[result.as_of_sequence - 1].order
        if result.client_order_id != "a-2":
            assert result.order == last
    assert results[2].priority_kept
    assert results[4].WhichOneof("outcome") == "canceled_count"
    assert results[4].canceled_count == 0


async def test_a_frame_can_hold_all_that_it_may(alice: Trader) -> None:
    async with alice.enter() as entry:
        results = await entry.do(*(limit(f"a-{number}") for number in range(FRAME_MAX)))
    assert all(result.HasField("order") for result in results)
    assert len({result.order.order_id for result in results}) == FRAME_MAX


async def test_the_first_frame_may_have_commands(alice: Trader) -> None:
    call = alice.stubs.orders.EnterOrders(metadata=alice.credential.metadata)
    await call.write(frame(limit("a-1"), after_sequence=0))
    kinds = [(await read(call)).WhichOneof("event") for _ in range(2)]
    assert set(kinds) == {"batch", "caught_up"}
    call.cancel()


async def read(call: object) -> order_service_pb2.EnterOrdersResponse:
    message = await call.read()  # type: ignore[attr-defined]
    assert isinstance(message, order_service_pb2.EnterOrdersResponse)
    return message


async def test_order_in_is_order_at_the_engine(alice: Trader, bob: Trader) -> None:
    """Frames, however they are cut, reach the engine in the order in which they were sent."""
    async with alice.enter() as entry:
        number = 0
        for size in (1, 7, 64, 3, 256, 1, 1, 30, 2):
            await entry.send(*(limit(f"a-{number + i}") for i in range(size)))
            number += size
            # Others trade meanwhile.
            await bob.place(limit(f"b-{number}", price="90"))
        tape = await entry.until(lambda tape: len(tape.results) == number)
    placed = [execution.order.client_order_id for execution in tape.executions]
    assert placed == [f"a-{i}" for i in range(number)]
    order_ids = [int(result.order.order_id) for result in tape.results]
    assert order_ids == sorted(order_ids)


async def test_a_cancel_right_behind_its_order_finds_it(alice: Trader) -> None:
    async with alice.enter() as entry:
        for number in range(30):
            await entry.send(limit(f"a-{number}"))
            await entry.send(cancel(f"a-{number}", f"x-{number}"))
        tape = await entry.until(lambda tape: len(tape.results) == 60)
    assert all(result.HasField("order") for result in tape.results)


async def test_a_bad_command_is_its_own_result(alice: Trader) -> None:
    async with alice.enter() as entry:
        results = await entry.do(
            limit("a-1"),
            limit("bad id!"),
            limit("a-2", price="1.234"),
            order_service_pb2.CancelOrderRequest(),
            limit("a-3", account="bob"),
            limit("a-4", symbol="NO-SUCH"),
            cancel("a-1", "a-5", valid_until=Timestamp(seconds=1)),
            limit("a-6"),
        )
        unset = order_service_pb2.EnterOrdersRequest(commands=[order_service_pb2.OrderCommand()])
        await entry.call.write(unset)
        tape = await entry.until(lambda tape: len(tape.results) == 9)
        results = [*results, tape.results[8]]

    assert [result.WhichOneof("outcome") for result in results] == [
        "order",
        *["error"] * 6,
        "order",
        "error",
    ]
    failures = [failure_of(result.error) for result in results if result.HasField("error")]
    assert [(f.reason, f.outcome, f.fields) for f in failures] == [
        ("FIELD_INVALID", "refused", ("client_order_id",)),
        ("PRICE_OFF_TICK", "refused", ("price",)),
        ("FIELD_INVALID", "refused", ("target",)),
        ("ACCOUNT_NOT_FOUND", "refused", ("account",)),
        ("INSTRUMENT_NOT_FOUND", "refused", ("symbol",)),
        ("DEADLINE_PASSED", "refused", ("valid_until",)),
        ("FIELD_INVALID", "refused", ("command",)),
    ]
    assert results[1].client_order_id == "bad id!"
    assert len(await alice.executions()) == 2


async def test_a_rejected_order_is_an_execution_and_a_result_that_says_so(
    alice: Trader, bob: Trader
) -> None:
    await bob.place(limit("b-1", SELL))
    async with alice.enter() as entry:
        (result,) = await entry.do(limit("a-1", BUY, post_only=order_pb2.POST_ONLY_REJECT))
        (execution,) = entry.tape.executions
    rejected = failure_of(result.error)
    assert (rejected.reason, rejected.outcome) == ("POST_ONLY_WOULD_TRADE", "rejected")
    assert rejected.metadata["order_id"] == execution.order.order_id
    assert rejected.metadata["sequence"] == str(result.as_of_sequence) == "1"


async def test_results_say_the_state_at_their_own_number(alice: Trader, bob: Trader) -> None:
    """A result is the order as its command left it, also when the same batch changed it again."""
    async with alice.enter() as entry:
        results = await entry.do(limit("a-1", SELL, "2"), limit("a-2", BUY, "1", time_in_force=IOC))
    assert results[0].order.filled_quantity == "0"
    assert results[0].as_of_sequence == 1
    assert results[1].order.filled_quantity == "1"


@pytest.mark.parametrize("first", [True, False])
async def test_a_frame_that_is_too_long_ends_the_stream(alice: Trader, first: bool) -> None:
    commands: list[Message] = [limit(f"a-{number}") for number in range(FRAME_MAX + 1)]
    if first:
        call = alice.stubs.orders.EnterOrders(metadata=alice.credential.metadata)
        await call.write(frame(*commands))
        refused = await failure(read(call))
    else:
        async with alice.enter() as entry:
            await entry.live()
            await entry.send(*commands)
            refused = (await entry.to_end()).closed
    assert (refused.reason, refused.fields) == ("FRAME_TOO_LARGE", ("commands",))
    assert await alice.executions() == []


async def test_what_was_sent_before_a_bad_frame_is_still_answered(alice: Trader) -> None:
    async with alice.enter() as entry:
        await entry.live()
        for number in range(20):
            await entry.send(*(limit(f"a-{number}-{i}") for i in range(50)))
        await entry.send(*(limit(f"b-{number}") for number in range(FRAME_MAX + 1)))
        tape = await entry.to_end()
    assert len(tape.results) == 1000
    assert tape.closed.reason == "FRAME_TOO_LARGE"
    assert tape.closing is not None
    assert tape.closing.resume_after == tape.position == 1000


async def test_a_half_closed_stream_answers_everything_and_ends(alice: Trader) -> None:
    async with alice.enter() as entry:
        for number in range(20):
            await entry.send(*(limit(f"a-{number}-{i}") for i in range(50)))
        await entry.half_close()
        tape = await entry.to_end()
        assert await entry.call.code() is grpc.StatusCode.OK
    assert len(tape.results) == len(tape.executions) == 1000
    assert tape.closing is None


async def test_a_stream_that_is_closed_before_its_first_frame_just_ends(alice: Trader) -> None:
    call = alice.stubs.orders.EnterOrders(metadata=alice.credential.metadata)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_stream_without_a_first_frame_ends(
    alice: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enter_orders, "FIRST_FRAME_S", 0.02)
    call = alice.stubs.orders.EnterOrders(metadata=alice.credential.metadata)
    assert (await failure(read(call))).reason == "DEADLINE_PASSED"


async def test_an_empty_frame_changes_nothing(alice: Trader) -> None:
    async with alice.enter() as entry:
        for _ in range(5):
            await entry.send()
        results = await entry.do(limit("a-1"))
    assert results[0].command_number == 1


async def test_settings_count_in_the_first_frame_only(alice: Trader) -> None:
    await alice.place(limit("a-0"))
    async with alice.enter() as entry:
        await entry.live()
        await entry.send(
            limit("a-1"), after_sequence=0, snapshot=True, cancel_on_disconnect=True, account="bob"
        )
        tape = await entry.until(lambda tape: tape.results)
        assert tape.kinds.count("snapshot") == 0
        assert tape.executions[0].sequence == 2
        assert not tape.results[0].order.cancel_on_disconnect


async def test_results_come_without_executions_to_who_wants_no_more(
    alice: Trader, bob: Trader
) -> None:
    call = alice.stubs.orders.EnterOrders(metadata=alice.credential.metadata)
    await alice.place(limit("a-0"))
    await call.write(frame(results_only=True))
    assert (await read(call)).caught_up.as_of_sequence == 1
    await bob.place(limit("b-1", SELL))
    await call.write(frame(limit("a-1"), limit("a-2"), cancel("a-2", "a-3")))
    batch = (await read(call)).batch
    # The order a-0 traded, the others rest and the last of them is canceled.
    assert [result.as_of_sequence for result in batch.results] == [3, 4, 5]
    assert list(batch.executions) == []
    assert len(await alice.executions()) == 5
    call.cancel()


@pytest.mark.parametrize("conflict", [{"after_sequence": 0}, {"snapshot": True}], ids=str)
async def test_results_only_is_not_with_what_is_about_executions(
    alice: Trader, conflict: dict[str, Any]
) -> None:
    call = alice.stubs.orders.EnterOrders(metadata=alice.credential.metadata)
    await call.write(order_service_pb2.EnterOrdersRequest(results_only=True, **conflict))
    assert (await failure(read(call))).reason == "FIELDS_CONFLICT"


async def test_executions_of_other_connections_come_too(alice: Trader, bob: Trader) -> None:
    async with alice.enter() as entry:
        await entry.live()
        await alice.place(limit("a-1", SELL))
        await bob.place(limit("b-1", BUY))
        tape = await entry.until(lambda tape: len(tape.executions) == 2)
    assert tape.results == []
    assert [e.order.account for e in tape.executions] == ["alice", "alice"]


async def test_results_wait_for_a_replay_to_pass_them(alice: Trader) -> None:
    """A command that is sent while the past is replayed is answered after that past."""
    async with alice.enter() as entry:
        await entry.do(*(limit(f"a-{number}") for number in range(200)))
    async with alice.enter(after_sequence=0) as entry:
        await entry.send(limit("n-1"))
        tape = await entry.until(lambda tape: tape.results)
    assert tape.executions[-1].order == tape.results[0].order
    assert tape.results[0].as_of_sequence == 201


@pytest.mark.parametrize("age_s", [1, 3600])
async def test_a_command_that_waited_too_long_is_refused_without_effect(
    floor: Floor, alice: Trader, age_s: int
) -> None:
    late = Timestamp()
    late.FromNanoseconds(floor.clock() - age_s * 10**9)
    await alice.place(limit("a-0", quantity="2"))
    async with alice.enter() as entry:
        results = await entry.do(
            limit("a-1", valid_until=late),
            amend("a-2", "a-0", quantity="1", valid_until=late),
            cancel("a-0", "a-3", valid_until=late),
            order_service_pb2.CancelAllOrdersRequest(valid_until=late),
        )
    unary = [
        await failure(alice.place(limit("a-1", valid_until=late))),
        await failure(alice.amend(amend("a-2", "a-0", quantity="1", valid_until=late))),
        await failure(alice.cancel(cancel("a-0", "a-3", valid_until=late))),
        await failure(alice.cancel_all(valid_until=late)),
    ]
    assert [failure_of(result.error) for result in results] == unary
    assert {f.reason for f in unary} == {"DEADLINE_PASSED"}
    # It never becomes earlier: sending the same again is of no use.
    assert {(f.fields, f.is_retryable) for f in unary} == {(("valid_until",), False)}
    assert len(await alice.executions()) == 1


async def test_a_repeat_has_its_first_answer_whatever_its_valid_until_is(
    floor: Floor, alice: Trader
) -> None:
    late = Timestamp()
    late.FromNanoseconds(floor.clock() - 10**9)
    first = await alice.place(limit("a-1"))
    assert await alice.place(limit("a-1", valid_until=late)) == first
    async with alice.enter() as entry:
        (result,) = await entry.do(limit("a-1", valid_until=late))
    assert result.order == first.order
    again = await alice.place_many(limit("a-1", valid_until=late))
    assert again.results[0].order == first.order
    assert len(await alice.executions()) == 1


async def test_in_time_means_in_time(floor: Floor, alice: Trader) -> None:
    soon = Timestamp()
    soon.FromNanoseconds(floor.clock() + 60 * 10**9)
    assert (await alice.place(limit("a-1", valid_until=soon))).as_of_sequence == 1


async def test_valid_until_the_epoch_is_a_time_that_has_passed(alice: Trader) -> None:
    refused = await failure(alice.place(limit("a-1", valid_until=Timestamp())))
    assert refused.reason == "DEADLINE_PASSED"
    async with alice.enter() as entry:
        (result,) = await entry.do(limit("a-1", valid_until=Timestamp()))
    assert failure_of(result.error).reason == "DEADLINE_PASSED"
    assert await alice.executions() == []


async def test_many_streams_of_an_account_share_the_executions_and_keep_their_results(
    alice: Trader,
) -> None:
    async def session(name: str) -> set[str]:
        async with alice.enter(after_sequence=0) as entry:
            for number in range(10):
                await entry.do(*(limit(f"{name}-{number}-{i}") for i in range(5)))
            tape = await entry.until(lambda tape: len(tape.executions) == 150)
        assert len(tape.results) == 50
        return {result.client_order_id for result in tape.results}

    found = await asyncio.gather(session("x"), session("y"), session("z"))
    for name, ids in zip("xyz", found, strict=True):
        assert all(client_order_id.startswith(name) for client_order_id in ids)


@pytest.mark.parametrize("half_closes", [False, True])
async def test_a_stream_that_is_cut_at_any_moment_says_nothing_in_the_log(
    floor: Floor, complaints: Complaints, half_closes: bool
) -> None:
    """Turns of the loop are moments: whoever connects and resets must not fill the log."""
    stubs, metadata = floor.stubs.orders, floor.alice.credential.metadata
    floor.venue.app.limiter.set_exempt("alice", True)

    async def use(call: Any, number: int) -> None:
        await call.write(frame(limit(f"a-{number}"), after_sequence=0))
        await call.write(frame(limit(f"b-{number}")))
        if half_closes:
            await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass

    for number in range(60):
        call = stubs.EnterOrders(metadata=metadata)
        using = asyncio.create_task(use(call, number))
        for _ in range(number % 20):
            await asyncio.sleep(0)
        # Over the network it takes some more time to come to the same places.
        await asyncio.sleep(number // 20 * 0.002)
        call.cancel()
        using.cancel()
        await asyncio.gather(using, return_exceptions=True)
    await eventually(lambda: not floor.venue.app.hub.subscription_count)
    assert complaints.records == []
