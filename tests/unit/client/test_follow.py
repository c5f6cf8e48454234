"""Executions and ledger entries come once each and in order, whatever happens to the stream."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import tradewire_client as tw
from tradewire.v1 import (
    account_pb2,
    account_service_pb2,
    execution_service_pb2,
    order_pb2,
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
    status_of,
)

Response = execution_service_pb2.StreamExecutionsResponse
BATCH = 2
HEAD, LAST = 7, 9


class Journal:
    """The executions of an account, and how the streams that tell them end.

    A plan has an end per stream: after how many messages, and how.
    """

    def __init__(self, *, head: Any = HEAD, plan: Any = ()) -> None:
        self.head = head
        self.plan = list(plan)
        self.journal_id = JOURNAL
        self.streams = 0

    def get_account(self, request: Any, context: Any) -> Any:
        return account_service_pb2.GetAccountResponse(journal_id=self.journal_id)

    async def stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.streams += 1
        sent = 0
        after: Any
        how: Any
        after, how = self.plan.pop(0) if self.plan else (None, None)
        async for message in self.messages(request):
            if sent == after:
                break
            yield message
            sent += 1
        if how is None:
            await asyncio.Event().wait()
        async for message in how(self):
            yield message

    async def messages(self, request: Any) -> AsyncIterator[Any]:
        if request.snapshot:
            yield Response(
                snapshot=order_service_pb2.AccountSnapshot(
                    as_of_sequence=self.head, journal_id=self.journal_id
                )
            )
        begin = request.after_sequence if request.HasField("after_sequence") else self.head
        for start in range(begin + 1, self.head + 1, BATCH):
            numbers = range(start, min(start + BATCH, self.head + 1))
            yield batch(*numbers)
        yield Response(caught_up=caught_up(self.head, self.journal_id))
        # Live: up to the last, with a heartbeat after each.
        while self.head < LAST:
            self.head += 1
            yield batch(self.head)
            yield Response(heartbeat=stream_pb2.Heartbeat(as_of_sequence=self.head))


def batch(*numbers: Any) -> Any:
    return Response(
        batch=order_pb2.ExecutionBatch(executions=[execution(number) for number in numbers])
    )


def closing(name: Any) -> Any:
    status = status_of(name)
    return Response(closing=stream_pb2.Closing(status=status, resume_after=3))


async def end_silently(journal: Any) -> AsyncIterator[Any]:
    for nothing in list[Any]():
        yield nothing


async def end_with_fault(journal: Any) -> AsyncIterator[Any]:
    yield bare_fault(grpc.StatusCode.UNAVAILABLE)


async def end_with_reset(journal: Any) -> AsyncIterator[Any]:
    yield bare_fault(grpc.StatusCode.INTERNAL)


async def end_too_slow(journal: Any) -> AsyncIterator[Any]:
    yield closing("SLOW_CONSUMER")


async def end_draining(journal: Any) -> AsyncIterator[Any]:
    yield closing("SERVER_DRAINING")


async def end_of_life(journal: Any) -> AsyncIterator[Any]:
    yield closing("STREAM_LIFETIME")


async def end_of_session(journal: Any) -> AsyncIterator[Any]:
    yield closing("CREDENTIAL_ENDED")


async def fall_silent(journal: Any) -> AsyncIterator[Any]:
    await asyncio.Event().wait()
    yield


ENDS = [
    end_silently,
    end_with_fault,
    end_with_reset,
    end_too_slow,
    end_draining,
    end_of_life,
    end_of_session,
]


@contextlib.asynccontextmanager
async def served(journal: Any, **options: Any) -> AsyncIterator[Any]:
    async with FakeVenue() as venue:
        venue.on(StreamExecutions=journal.stream, GetAccount=journal.get_account)
        async with venue.client(**options) as client:
            yield venue, client


async def read(stream: Any, count: Any) -> Any:
    return [(await anext(stream)).sequence for _ in range(count)]


async def test_replay_and_live_are_one_sequence() -> None:
    async with served(Journal()) as (_, client):
        stream = client.executions.follow(after_sequence=0)
        assert await read(stream, 9) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
        assert (stream.sequence, stream.journal_id) == (9, JOURNAL)


async def test_from_now_means_after_the_head() -> None:
    async with served(Journal()) as (venue, client):
        assert await read(client.executions.follow(), 2) == [8, 9]
        (request,) = venue.requests("StreamExecutions")
        assert not request.HasField("after_sequence")


async def test_from_now_begins_where_the_stream_is_entered() -> None:
    journal = Journal(plan=[(1, fall_silent)])
    async with served(journal) as (_, client), client.executions.follow() as stream:
        assert stream.journal_id == JOURNAL
        assert journal.streams == 1


async def test_a_stream_that_cannot_begin_is_told_where_it_is_entered() -> None:
    async def refuse(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fault("SCOPE_MISSING")

    async with served(Journal()) as (venue, client):
        venue.on(StreamExecutions=refuse)
        with pytest.raises(tw.PermissionDenied):
            await client.executions.follow().__aenter__()


async def test_the_beginning_is_asked_for_as_zero() -> None:
    async with served(Journal()) as (venue, client):
        await read(client.executions.follow(after_sequence=0), 1)
        (request,) = venue.requests("StreamExecutions")
        assert (request.HasField("after_sequence"), request.after_sequence) == (True, 0)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("after", range(9))
async def test_a_stream_that_ends_after_any_message_leaves_no_gap_and_no_repetition(
    after: Any, end: Any
) -> None:
    async with served(Journal(plan=[(after, end)])) as (_, client):
        assert await read(client.executions.follow(after_sequence=0), 9) == [*range(1, 10)]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_streams_that_end_after_each_message_leave_no_gap_and_no_repetition(end: Any) -> None:
    # Of a token's end there may be two without a message between them, so each stream sends one.
    journal = Journal(plan=[(1, end)] * 4)
    async with served(journal) as (_, client):
        assert await read(client.executions.follow(after_sequence=0), 9) == [*range(1, 10)]
        assert journal.streams == 5


async def test_a_stream_that_falls_silent_is_dead() -> None:
    journal = Journal(plan=[(2, fall_silent), (0, fall_silent)])
    streams = tw.StreamPolicy(quiet=0.05, initial_backoff=0.001)
    async with served(journal, streams=streams) as (_, client):
        assert await read(client.executions.follow(after_sequence=0), 9) == [*range(1, 10)]
        assert journal.streams == 3


async def test_a_restart_of_the_venue_is_bridged() -> None:
    journal = Journal()
    async with served(journal) as (venue, client):
        stream = client.executions.follow(after_sequence=0)
        assert await read(stream, 3) == [1, 2, 3]
        await venue.stop()
        await venue.start()
        assert await read(stream, 6) == [4, 5, 6, 7, 8, 9]


async def test_a_session_that_ended_is_replaced() -> None:
    async with served(Journal(plan=[(3, end_of_session)])) as (venue, client):
        await read(client.executions.follow(after_sequence=0), 9)
        assert venue.tokens_made == 2


async def test_a_key_that_was_revoked_ends_the_stream() -> None:
    async with served(Journal(plan=[(1, end_of_session)])) as (venue, client):
        stream = client.executions.follow(after_sequence=0)
        assert await read(stream, 2) == [1, 2]
        venue.on(CreateSession=lambda request, context: _raise(fault("KEY_REVOKED")))
        for _ in range(2):
            with pytest.raises(tw.AuthenticationError, match="KEY_REVOKED"):
                await anext(stream)


def _raise(error: Any) -> None:
    raise error


async def test_another_journal_is_noticed_before_anything_of_it_is_handed_out() -> None:
    journal = Journal(plan=[(4, end_with_fault)])
    async with served(journal) as (_, client):
        stream = client.executions.follow(after_sequence=3, journal_id=JOURNAL)
        assert await read(stream, 5) == [4, 5, 6, 7, 8]
        journal.journal_id = "journal-2"
        with pytest.raises(tw.JournalChanged) as caught:
            await anext(stream)
        assert (caught.value.expected, caught.value.received, caught.value.last_sequence) == (
            JOURNAL,
            "journal-2",
            8,
        )
        assert journal.streams == 1


async def test_a_number_of_another_journal_is_not_resumed() -> None:
    journal = Journal()
    async with served(journal) as (_, client):
        with pytest.raises(tw.JournalChanged):
            await anext(client.executions.follow(after_sequence=3, journal_id="an old one"))
        assert journal.streams == 0


class Faulty(Journal):
    """Tells something that it must not."""

    def __init__(self, *messages: Any) -> None:
        super().__init__()
        self._messages = messages

    async def messages(self, request: Any) -> AsyncIterator[Any]:
        for message in self._messages:
            yield message


@pytest.mark.parametrize(
    ("messages", "good", "error"),
    [
        ([batch(1), batch(3)], [1], tw.SequenceGap),
        ([batch(1, 2, 4)], [1, 2], tw.SequenceGap),
        ([batch(2)], [], tw.SequenceGap),
        ([batch(1), batch(1)], [1], tw.SequenceRepeated),
        ([batch(1, 2), batch(2)], [1, 2], tw.SequenceRepeated),
        ([batch(1), Response(caught_up=caught_up(2))], [1], tw.SequenceGap),
        (
            [batch(1), Response(heartbeat=stream_pb2.Heartbeat(as_of_sequence=2))],
            [1],
            tw.SequenceGap,
        ),
    ],
)
async def test_a_broken_promise_is_told_after_what_came_before_it(
    messages: Any, good: Any, error: Any
) -> None:
    async with served(Faulty(*messages)) as (_, client):
        stream = client.executions.follow(after_sequence=0)
        assert await read(stream, len(good)) == good
        with pytest.raises(error) as caught:
            await anext(stream)
        assert caught.value.last_sequence == len(good)
        assert stream.sequence == len(good)


async def test_a_number_that_is_no_longer_kept_is_an_answer() -> None:
    async def refuse(request: Any, context: Any) -> AsyncIterator[Any]:
        yield fault("SEQUENCE_OUT_OF_RANGE", first_available="50", last_available="99")

    async with served(Journal()) as (venue, client):
        venue.on(StreamExecutions=refuse)
        with pytest.raises(tw.OutOfRange) as caught:
            await anext(client.executions.follow(after_sequence=3))
        assert (caught.value.first, caught.value.last) == (50, 99)


async def test_a_fault_that_stays_is_told_in_the_end() -> None:
    journal = Journal(plan=[(0, end_with_reset)] * 9)
    async with served(journal) as (_, client):
        with pytest.raises(tw.ServerFault):
            await anext(client.executions.follow(after_sequence=0))
        assert journal.streams == 6


async def test_faults_between_other_failures_do_not_add_up() -> None:
    journal = Journal(plan=[(0, end_with_fault), (0, end_with_reset)] * 8)
    async with served(journal) as (_, client):
        assert await read(client.executions.follow(after_sequence=0), 1) == [1]


async def test_patience_can_be_limited() -> None:
    streams = tw.StreamPolicy(initial_backoff=0.001, maximum_backoff=0.01, give_up_after=0.05)
    async with served(Journal(plan=[(0, end_with_fault)] * 1000), streams=streams) as (_, client):
        with pytest.raises(tw.Unavailable):
            await anext(client.executions.follow(after_sequence=0))


async def test_a_snapshot_comes_with_the_number_where_the_stream_begins() -> None:
    async with served(Journal(plan=[(2, end_with_fault)])) as (venue, client):
        stream = client.executions.follow(snapshot=True)
        snapshot = await stream.snapshot()
        assert (snapshot.as_of_sequence, stream.sequence) == (HEAD, HEAD)
        assert await read(stream, 2) == [8, 9]
        first, second = venue.requests("StreamExecutions")
        assert (first.snapshot, first.HasField("after_sequence")) == (True, False)
        assert (second.snapshot, second.after_sequence) == (False, HEAD)


async def test_a_snapshot_that_was_not_asked_for_is_not_there() -> None:
    async with served(Journal()) as (_, client):
        with pytest.raises(tw.ConfigurationError, match="snapshot=True"):
            await client.executions.follow(after_sequence=0).snapshot()
        with pytest.raises(tw.ConfigurationError, match="exclude each other"):
            client.executions.follow(after_sequence=0, snapshot=True)


async def test_a_closed_stream_stops() -> None:
    async with served(Journal()) as (_, client):
        async with client.executions.follow(after_sequence=0) as stream:
            assert await read(stream, 1) == [1]
        assert [item async for item in stream] == []


async def test_closing_from_another_task_ends_a_waiting_reader() -> None:
    async with served(Journal()) as (_, client):
        stream = client.executions.follow(after_sequence=7)
        seen, both = list[int](), asyncio.Event()
        reader = asyncio.create_task(_collect(stream, seen, both))
        await both.wait()
        await stream.aclose()
        await asyncio.wait_for(reader, 5)
        assert seen == [8, 9]


async def test_closing_the_client_ends_a_waiting_reader() -> None:
    async with served(Journal()) as (_, client):
        stream = client.executions.follow(after_sequence=7)
        seen, both = list[int](), asyncio.Event()
        reader = asyncio.create_task(_collect(stream, seen, both))
        await both.wait()
        await client.close()
        await asyncio.wait_for(reader, 5)
        assert seen == [8, 9]


async def test_two_readers_of_one_stream_are_refused() -> None:
    async with served(Journal()) as (_, client):
        stream = client.executions.follow(after_sequence=7)
        await read(stream, 2)
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one task at a time"):
            await anext(stream)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first


async def _collect(stream: Any, seen: list[int], both: asyncio.Event) -> None:
    async for item in stream:
        seen.append(item.sequence)
        if len(seen) == 2:
            both.set()


async def test_a_time_out_around_the_next_item_does_not_cost_the_stream() -> None:
    journal = Journal()
    async with served(journal) as (_, client):
        stream = client.executions.follow(after_sequence=7)
        assert await read(stream, 2) == [8, 9]
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.01)
        assert journal.streams == 1


async def test_pages_of_executions_end_at_the_head() -> None:
    def page(request: Any, context: Any) -> Any:
        last = min(request.after_sequence + 3, 8)
        return execution_service_pb2.ListExecutionsResponse(
            executions=[execution(n) for n in range(request.after_sequence + 1, last + 1)],
            as_of_sequence=8,
            journal_id=JOURNAL,
        )

    async with served(Journal()) as (venue, client):
        venue.on(ListExecutions=page)
        listed = await client.executions.list(after_sequence=1)
        assert [item.sequence for item in listed] == [2, 3, 4, 5, 6, 7, 8]
        assert (listed.as_of_sequence, listed.journal_id) == (8, JOURNAL)
        assert [r.after_sequence for r in venue.requests("ListExecutions")] == [1, 4, 7]


async def test_the_ledger_is_followed_by_its_own_numbers() -> None:
    ledger = account_service_pb2.StreamAccountResponse

    def entries(*numbers: Any) -> Any:
        return ledger(
            batch=account_pb2.LedgerBatch(
                entries=[account_pb2.LedgerEntry(ledger_sequence=number) for number in numbers]
            )
        )

    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        if request.snapshot:
            yield ledger(
                snapshot=order_service_pb2.AccountSnapshot(
                    as_of_sequence=99, as_of_ledger_sequence=4, journal_id=JOURNAL
                )
            )
            yield ledger(caught_up=caught_up(4))
            return
        assert request.after_sequence == 4
        yield entries(5, 6)
        yield ledger(caught_up=caught_up(6))
        await asyncio.Event().wait()

    async with served(Journal()) as (venue, client):
        venue.on(StreamAccount=stream)
        follow = client.account.follow(snapshot=True)
        assert (await follow.snapshot()).as_of_ledger_sequence == 4
        assert [(await anext(follow)).ledger_sequence for _ in range(2)] == [5, 6]
