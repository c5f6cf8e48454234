"""The order entry stream: the venue keeps the contract, and the connections do not hold."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import tradewire_client as tw
from tradewire.v1 import (
    account_service_pb2,
    execution_service_pb2,
    order_service_pb2,
    stream_pb2,
)

from tests.unit.client.fake_venue import (
    JOURNAL,
    FakeVenue,
    bare_fault,
    caught_up,
    execution,
    fault,
    order,
    status_of,
)

Response = order_service_pb2.EnterOrdersResponse
LIMIT = {"symbol": "BTC-USD", "side": "buy", "type": "limit", "quantity": "0.5", "price": "100.25"}
LOST = bare_fault(grpc.StatusCode.UNAVAILABLE)


class Cut(Exception):
    """The connection is cut here."""


class Desk:
    """Order entry with idempotent commands and one numbered sequence of executions.

    `cuts` are moments, in order: (`before` or `after`, n) cuts the stream before or after the n-th
    command takes effect, its result unsent; (`told`, n) after its result was sent; (`replay`, n)
    after n messages of a replay.
    """

    def __init__(self, *cuts: Any) -> None:
        self.cuts = list(cuts)
        self.executions: list[Any] = []
        self.answers: dict[str, Any] = {}
        self.effects: list[str] = []
        self.received: list[str] = []
        self.frames: list[int] = []
        self.settings: list[Any] = []
        self.streams = 0
        self.commands = 0
        self.answer_with: Any = None
        self.arrived = asyncio.Event()
        self.reopened = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()
        self.journal_id = JOURNAL

    def handlers(self) -> Any:
        return {
            "EnterOrders": self.enter,
            "GetAccount": lambda request, context: account_service_pb2.GetAccountResponse(
                journal_id=self.journal_id
            ),
            "ListExecutions": self.list,
        }

    def list(self, request: Any, context: Any) -> Any:
        found = self.executions[request.after_sequence : request.after_sequence + 50]
        return execution_service_pb2.ListExecutionsResponse(
            executions=found, as_of_sequence=len(self.executions), journal_id=self.journal_id
        )

    async def enter(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        self.streams += 1
        if self.streams > 1:
            self.reopened.set()
        iterator = aiter(requests)
        settings = await anext(iterator)
        self.settings.append(settings)
        try:
            async for message in self.replay(settings):
                yield message
            number = 0
            async for frame in iterator:
                self.frames.append(len(frame.commands))
                self.arrived.set()
                await self.hold.wait()
                for command in frame.commands:
                    number += 1
                    yield self.handle(number, command)
                    self.cut("told")
        except Cut:
            raise LOST from None

    async def replay(self, settings: Any) -> AsyncIterator[Any]:
        if settings.snapshot:
            yield Response(
                snapshot=order_service_pb2.AccountSnapshot(
                    as_of_sequence=len(self.executions), journal_id=self.journal_id
                )
            )
        missed = []
        if settings.HasField("after_sequence"):
            missed = self.executions[settings.after_sequence :]
        for sent, item in enumerate(missed):
            self.cut("replay", sent)
            yield Response(batch=order_service_pb2.OrderEntryBatch(executions=[item]))
        self.cut("replay", len(missed))
        yield Response(caught_up=caught_up(len(self.executions), self.journal_id))

    def handle(self, number: Any, command: Any) -> Any:
        self.commands += 1
        kind = command.WhichOneof("command")
        client_order_id = "" if kind == "cancel_all" else getattr(command, kind).client_order_id
        self.received.append(client_order_id or kind)
        self.cut("before")
        done, result = self.effect(kind, client_order_id)
        self.cut("after")
        result.command_number, result.client_order_id = number, client_order_id
        batch = order_service_pb2.OrderEntryBatch(executions=done, results=[result])
        batch.rate_limit.CopyFrom(stream_pb2.RateLimit(limit=9, remaining=5, reset_ms=70))
        return Response(batch=batch)

    def effect(self, kind: Any, client_order_id: Any) -> Any:
        if client_order_id in self.answers:
            return [], self.answers[client_order_id]
        if self.answer_with is not None:
            return [], order_service_pb2.CommandResult(error=self.answer_with)
        self.effects.append(client_order_id or kind)
        item = execution(len(self.executions) + 1, client_order_id=client_order_id or kind)
        self.executions.append(item)
        result = order_service_pb2.CommandResult(as_of_sequence=item.sequence)
        if kind == "cancel_all":
            result.canceled_count = 2
        else:
            result.order.CopyFrom(order(client_order_id=client_order_id))
            self.answers[client_order_id] = result
        return [item], result

    def cut(self, moment: Any, count: Any = None) -> None:
        here = (moment, self.commands if count is None else count)
        if self.cuts and self.cuts[0] == here:
            self.cuts.pop(0)
            raise Cut


@contextlib.asynccontextmanager
async def served(desk: Any, **options: Any) -> AsyncIterator[Any]:
    async with FakeVenue() as venue:
        venue.on(**desk.handlers())
        async with venue.client(**options) as client:
            yield venue, client


async def take(entry: Any, count: Any) -> Any:
    iterator = entry.executions()
    return [(await anext(iterator)).sequence for _ in range(count)]


async def test_commands_of_one_turn_travel_in_one_frame_and_in_order() -> None:
    desk = Desk()
    async with served(desk) as (_, client), client.orders.enter() as entry:
        futures = [entry.place(**LIMIT, client_order_id=f"c{n}") for n in range(300)]
        answers = await asyncio.gather(*futures)

    assert [answer.client_order_id for answer in answers] == [f"c{n}" for n in range(300)]
    assert desk.effects == [f"c{n}" for n in range(300)]
    assert desk.frames == [256, 44]


async def test_all_kinds_of_commands_have_their_results() -> None:
    desk = Desk()
    async with served(desk) as (_, client), client.orders.enter() as entry:
        placed = entry.place(**LIMIT)
        amended = entry.amend("1", price="101")
        canceled = entry.cancel(original_client_order_id="c1")
        counted = entry.cancel_all(symbol="BTC-USD")
        assert (await placed).as_of_sequence == 1
        assert (await amended).as_of_sequence == 2
        assert (await canceled).as_of_sequence == 3
        assert await counted == tw.CanceledOrders(canceled_count=2, as_of_sequence=4)
        assert entry.rate_limit == tw.RateLimit(limit=9, remaining=5, reset_ms=70)
        assert (entry.sequence, entry.journal_id, entry.pending) == (4, JOURNAL, 0)


async def test_executions_come_beside_the_results() -> None:
    desk = Desk()
    async with served(desk) as (_, client), client.orders.enter() as entry:
        await asyncio.gather(*(entry.place(**LIMIT) for _ in range(5)))
        assert await take(entry, 5) == [1, 2, 3, 4, 5]


async def test_executions_can_begin_before_now() -> None:
    desk = Desk()
    desk.executions = [execution(n) for n in range(1, 8)]
    async with served(desk) as (_, client), client.orders.enter(after_sequence=4) as entry:
        await entry.place(**LIMIT)
        assert await take(entry, 4) == [5, 6, 7, 8]


async def test_a_reader_who_never_comes_does_not_stop_results() -> None:
    desk = Desk()
    async with served(desk) as (_, client), client.orders.enter(execution_buffer=3) as entry:
        await asyncio.gather(*(entry.place(**LIMIT) for _ in range(100)))
        # And one who comes late misses nothing.
        assert await take(entry, 100) == [*range(1, 101)]


async def test_the_first_frame_says_how_the_stream_is_meant() -> None:
    desk = Desk()
    async with served(desk) as (_, client):
        async with client.orders.enter(
            cancel_on_disconnect=True, snapshot=True, account="demo-1"
        ) as entry:
            assert entry.snapshot.journal_id == JOURNAL
        async with client.orders.enter(after_sequence=0) as entry:
            with pytest.raises(tw.ConfigurationError, match="snapshot=True"):
                _ = entry.snapshot
    assert desk.settings == [
        order_service_pb2.EnterOrdersRequest(
            cancel_on_disconnect=True, snapshot=True, account="demo-1"
        ),
        order_service_pb2.EnterOrdersRequest(after_sequence=0),
    ]


COUNT = 6
MOMENTS = [(moment, n) for moment in ("before", "after", "told") for n in range(1, COUNT + 1)]


@pytest.mark.parametrize("cut", MOMENTS, ids=lambda cut: f"{cut[0]}-{cut[1]}")
async def test_a_cut_at_any_command_loses_nothing_and_does_nothing_twice(cut: Any) -> None:
    desk = Desk(cut)
    async with served(desk) as (_, client), client.orders.enter() as entry:
        futures = [entry.place(**LIMIT, client_order_id=f"c{n}") for n in range(1, COUNT + 1)]
        answers = await asyncio.wait_for(asyncio.gather(*futures), 10)
        assert [answer.client_order_id for answer in answers] == [
            f"c{n}" for n in range(1, COUNT + 1)
        ]
        assert await asyncio.wait_for(take(entry, COUNT), 10) == [*range(1, COUNT + 1)]
    assert desk.effects == [f"c{n}" for n in range(1, COUNT + 1)]
    assert desk.cuts == []


async def test_cuts_at_every_command_and_within_the_replays_lose_nothing() -> None:
    desk = Desk(
        ("after", 1), ("replay", 0), ("replay", 1), ("told", 2), ("after", 4), ("replay", 1)
    )
    async with served(desk) as (_, client), client.orders.enter() as entry:
        futures = [entry.place(**LIMIT, client_order_id=f"c{n}") for n in range(1, COUNT + 1)]
        await asyncio.wait_for(asyncio.gather(*futures), 10)
        assert await asyncio.wait_for(take(entry, COUNT), 10) == [*range(1, COUNT + 1)]
    assert desk.effects == [f"c{n}" for n in range(1, COUNT + 1)]
    assert desk.cuts == []


async def test_a_restart_of_the_venue_is_bridged() -> None:
    desk = Desk()
    async with served(desk) as (venue, client), client.orders.enter() as entry:
        await entry.place(**LIMIT)
        await venue.stop()
        waiting = entry.place(**LIMIT)
        await venue.start()
        assert (await asyncio.wait_for(waiting, 10)).as_of_sequence == 2
        assert await take(entry, 2) == [1, 2]


async def test_a_mass_cancel_whose_answer_was_lost_stays_unknown() -> None:
    desk = Desk(("after", 2))
    async with served(desk) as (_, client), client.orders.enter() as entry:
        first = entry.place(**LIMIT)
        unsure = entry.cancel_all()
        last = entry.place(**LIMIT)
        await first
        with pytest.raises(tw.UnknownOutcome):
            await unsure
        await last
    assert desk.effects.count("cancel_all") == 1


async def test_refusals_and_rejections_are_results_and_the_stream_goes_on() -> None:
    desk = Desk()
    async with served(desk) as (_, client), client.orders.enter() as entry:
        desk.answer_with = status_of("INSUFFICIENT_FUNDS")
        with pytest.raises(tw.Rejected):
            await entry.place(**LIMIT)
        desk.answer_with = status_of("RATE_LIMITED", retry_after_ms="250")
        with pytest.raises(tw.RateLimited) as caught:
            await entry.place(**LIMIT)
        assert caught.value.retry_after == 0.25
        desk.answer_with = None
        await entry.place(**LIMIT)
    assert desk.streams == 1


async def test_the_number_of_commands_in_flight_is_bounded_and_can_be_waited_for() -> None:
    desk = Desk()
    desk.hold.clear()
    async with served(desk) as (_, client), client.orders.enter(max_pending=4) as entry:
        futures = [entry.place(**LIMIT) for _ in range(4)]
        with pytest.raises(tw.TooManyPending):
            entry.place(**LIMIT)
        room = asyncio.create_task(entry.drain())
        await desk.arrived.wait()
        assert not room.done()
        desk.hold.set()
        await asyncio.wait_for(room, 5)
        assert entry.pending <= 2
        for _ in range(50):
            await entry.drain()
            futures.append(entry.place(**LIMIT))
        await entry.flush()
        assert all(future.done() for future in futures)


async def test_leaving_waits_for_the_results() -> None:
    desk = Desk()
    async with served(desk) as (_, client):
        async with client.orders.enter() as entry:
            futures = [entry.place(**LIMIT) for _ in range(10)]
        assert [future.result().as_of_sequence for future in futures] == [*range(1, 11)]
        with pytest.raises(tw.ClientClosed):
            entry.place(**LIMIT)
        assert await take_all(entry) == [*range(1, 11)]


async def take_all(entry: Any) -> Any:
    return [item.sequence async for item in entry.executions()]


async def test_leaving_with_an_error_does_not_wait() -> None:
    desk = Desk()
    desk.hold.clear()
    async with served(desk) as (_, client):
        entry = client.orders.enter()
        await entry.__aenter__()
        future = entry.place(**LIMIT)
        await desk.arrived.wait()
        await entry.__aexit__(ValueError, ValueError(), None)
        with pytest.raises(tw.UnknownOutcome):
            future.result()


async def test_a_key_that_may_not_trade_is_told_at_the_door() -> None:
    async def refuse(requests: Any, context: Any) -> AsyncIterator[Any]:
        yield fault("SCOPE_MISSING")

    async with served(Desk()) as (venue, client):
        venue.on(EnterOrders=refuse)
        with pytest.raises(tw.PermissionDenied):
            async with client.orders.enter():
                pass


async def test_a_venue_that_cannot_be_reached_is_told_after_a_while() -> None:
    async with served(Desk()) as (venue, client):
        await venue.stop()
        with pytest.raises(tw.TimedOut, match=r"did not open in 0\.1 seconds"):
            async with client.orders.enter(resend_within=0.1):
                pass


async def test_a_revoked_key_ends_the_stream_and_says_what_is_known() -> None:
    desk = Desk()
    async with served(desk) as (venue, client), client.orders.enter() as entry:
        await entry.place(**LIMIT)
        venue.on(CreateSession=lambda request, context: _raise(fault("KEY_REVOKED")))
        desk.hold.clear()
        desk.arrived.clear()
        sent = entry.place(**LIMIT)
        await desk.arrived.wait()
        client.session.invalidate(client.session._token.metadata)
        await venue.stop()
        await venue.start()
        with pytest.raises(tw.UnknownOutcome) as caught:
            await asyncio.wait_for(sent, 10)
        assert isinstance(caught.value.__cause__, tw.AuthenticationError)
        with pytest.raises(tw.AuthenticationError):
            entry.place(**LIMIT)
        with pytest.raises(tw.AuthenticationError):
            await take(entry, 2)


def _raise(error: Any) -> None:
    raise error


async def test_another_journal_ends_the_stream() -> None:
    desk = Desk(("told", 1))
    async with served(desk) as (_, client), client.orders.enter() as entry:
        await entry.place(**LIMIT)
        desk.journal_id = "journal-2"
        # Depending on whether the loss was noticed before, the command was sent or not.
        with pytest.raises((tw.Unavailable, tw.UnknownOutcome)) as caught:
            await asyncio.wait_for(entry.place(**LIMIT), 10)
        assert isinstance(caught.value.__cause__, tw.JournalChanged)
        with pytest.raises(tw.JournalChanged):
            entry.place(**LIMIT)
    assert desk.streams == 1


async def test_a_silent_stream_is_replaced() -> None:
    desk = Desk()
    streams = tw.StreamPolicy(quiet=0.05, initial_backoff=0.001)
    async with served(desk, streams=streams) as (_, client), client.orders.enter() as entry:
        await asyncio.wait_for(desk.reopened.wait(), 10)
        await asyncio.wait_for(entry.place(**LIMIT), 10)


@pytest.mark.parametrize("name", ["SLOW_CONSUMER", "SERVER_DRAINING", "STREAM_LIFETIME"])
async def test_a_closing_is_followed_by_the_next_stream(name: Any) -> None:
    desk = Desk()

    async def close_first(requests: Any, context: Any) -> AsyncIterator[Any]:
        if desk.streams == 0:
            desk.streams += 1
            await anext(aiter(requests))
            yield Response(caught_up=caught_up(0))
            yield Response(closing=stream_pb2.Closing(status=status_of(name), resume_after=0))
            return
        async for message in desk.enter(requests, context):
            yield message

    async with served(desk) as (venue, client):
        venue.on(EnterOrders=close_first)
        async with client.orders.enter() as entry:
            assert (await asyncio.wait_for(entry.place(**LIMIT), 10)).as_of_sequence == 1
            assert desk.streams == 2


async def test_a_result_before_its_executions_is_a_broken_promise() -> None:
    async def early(requests: Any, context: Any) -> AsyncIterator[Any]:
        iterator = aiter(requests)
        await anext(iterator)
        yield Response(caught_up=caught_up(0))
        await anext(iterator)
        result = order_service_pb2.CommandResult(
            command_number=1, client_order_id="a", order=order(), as_of_sequence=1
        )
        yield Response(batch=order_service_pb2.OrderEntryBatch(results=[result]))

    async with served(Desk()) as (venue, client):
        venue.on(EnterOrders=early)
        async with client.orders.enter() as entry:
            with pytest.raises(tw.UnknownOutcome) as caught:
                await asyncio.wait_for(entry.place(**LIMIT, client_order_id="a"), 10)
            assert isinstance(caught.value.__cause__, tw.SequenceGap)


async def test_a_future_that_is_canceled_does_not_disturb_the_others() -> None:
    desk = Desk()
    async with served(desk) as (_, client), client.orders.enter() as entry:
        unsent = entry.place(**LIMIT, client_order_id="unsent")
        unsent.cancel()
        desk.hold.clear()
        sent = entry.place(**LIMIT, client_order_id="sent")
        await desk.arrived.wait()
        sent.cancel()
        last = entry.place(**LIMIT, client_order_id="last")
        desk.hold.set()
        await last
    assert desk.effects == ["sent", "last"]


async def test_floats_never_leave() -> None:
    async with served(Desk()) as (_, client), client.orders.enter() as entry:
        with pytest.raises(TypeError, match="price: a float is not exact"):
            entry.place(**{**LIMIT, "price": 100.25})
        assert entry.pending == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_pending": 0},
        {"execution_buffer": -1},
        {"resend_within": 0},
        {"snapshot": True, "after_sequence": 1},
    ],
)
async def test_options_that_cannot_work_are_refused(wrong: Any) -> None:
    async with served(Desk()) as (_, client):
        with pytest.raises(tw.ConfigurationError):
            client.orders.enter(**wrong)
