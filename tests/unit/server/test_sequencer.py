"""The single writer: order, batches, durability before anything is told, and the end of it all."""

import asyncio
import contextlib
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from tradewire.v1 import order_pb2
from tradewire_server import sequencer as module
from tradewire_server.api.encoder import MessageEncoder
from tradewire_server.auth.limit_policy import LimitPolicy
from tradewire_server.auth.unfilled_orders import UnfilledOrders
from tradewire_server.engine.commands import (
    AmendOrder,
    CancelAllOrders,
    CancelConnection,
    CancelOrder,
    Command,
    CreateAccount,
    CreateAsset,
    CreateInstrument,
    CreateKey,
    Deposit,
    PlaceOrder,
    Refused,
    RevokeKey,
    UpdateAccount,
    Withdraw,
)
from tradewire_server.engine.decide import decide
from tradewire_server.engine.events import AccountUpdated, KeyRecord, KeyStored
from tradewire_server.engine.fold import fold
from tradewire_server.engine.listener import Listener
from tradewire_server.engine.state import State
from tradewire_server.engine.vocabulary import (
    OrderType,
    PostOnly,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from tradewire_server.feeds import FeedKind
from tradewire_server.journal.codec import decode_events
from tradewire_server.journal.records import Batch
from tradewire_server.sequencer import (
    BATCH_COMMANDS_MAX,
    BATCH_COMMANDS_MIN,
    BATCH_WORK_S,
    QUEUE_COMMANDS_MAX,
    QUEUE_RESERVE,
    Done,
    Lane,
    NotServing,
    Outcome,
    Overloaded,
    Published,
    Sequencer,
    Submission,
    submission_of,
)

from tests.support.memory_journal import MemoryJournal
from tests.support.venue import BTC_USD
from tests.support.waiting import eventually

BEGIN_NS = 1_700_000_000 * 10**9
KEY = KeyRecord("key-1", "alice", "ed25519", b"k" * 32, b"", ("read",), (), "", BEGIN_NS, 0, 0)


class Stage:
    """A sequencer over a journal in memory, with a clock that stands still; keeps what it hears."""

    def __init__(self, *, unfilled: tuple[tuple[int, int], ...] = ()) -> None:
        self.now_ns = BEGIN_NS
        self.unfilled_orders = UnfilledOrders(LimitPolicy(unfilled_orders=unfilled))
        self.work_s = 0.0
        self.state = State()
        self.journal = MemoryJournal()
        self.heard: list[str] = []
        self.published: list[Published] = []
        self.settings: list[KeyStored | AccountUpdated] = []
        self.failures: list[BaseException] = []
        self._found()
        self.sequencer = Sequencer(
            self.state,
            self.journal,
            MessageEncoder(self.state),
            unfilled_orders=self.unfilled_orders,
            clock_ns=lambda: self.now_ns,
            monotonic=self._monotonic,
            publish=self._publish,
            on_settings=self._on_settings,
            on_failure=self.failures.append,
        )
        self._elapsed_s = 0.0

    def _found(self) -> None:
        """Make the venue before anything is sequenced, as recovery would."""
        founding: list[Command] = [
            CreateAsset("BTC", 8),
            CreateAsset("USD", 10),
            CreateInstrument(BTC_USD),
            *(CreateAccount(name, 0, 0, 1 << 20) for name in ("alice", "bob", "carol")),
            *(
                Deposit(name, asset, "1000000", "found")
                for name in ("alice", "bob", "carol")
                for asset in ("BTC", "USD")
            ),
            CreateKey(KEY),
        ]
        for command in founding:
            events = decide(self.state, command, BEGIN_NS)
            assert isinstance(events, list)
            for event in events:
                fold(self.state, event, BEGIN_NS, Listener())
        self.journal.append(Batch(1, self.state.event_number, BEGIN_NS, b"", [], [], [], []))

    def _monotonic(self) -> float:
        """Return a time to which each look adds the work of what was done before it."""
        self._elapsed_s += self.work_s
        return self._elapsed_s

    def _publish(self, published: Published) -> None:
        assert self.journal.last_event() == published.event_number, "published what is durable"
        self.heard.append("published")
        self.published.append(published)

    def _on_settings(self, event: KeyStored | AccountUpdated) -> None:
        assert self.journal.last_event() == self.state.event_number, "told what is durable"
        self.settings.append(event)

    def lane(self, name: str = "lane") -> tuple[Lane, list[Outcome]]:
        """Return a lane and the outcomes that it will have."""
        outcomes: list[Outcome] = []

        def deliver(results: list[tuple[Submission, Outcome]]) -> None:
            self.heard.append(f"{name} {len(results)}")
            outcomes.extend(outcome for _, outcome in results)

        return Lane(deliver), outcomes

    def batch_sizes(self) -> list[int]:
        """Return how many events each batch had, without the founding."""
        return [batch.last_event - batch.first_event + 1 for batch in self.journal.appended[1:]]

    def hold(self) -> threading.Event:
        """Let every append wait until the returned event is set."""
        release = threading.Event()
        self.journal.before_append = lambda batch: self._wait(release)
        return release

    def _wait(self, release: threading.Event) -> None:
        self.heard.append("appending")
        assert release.wait(20)

    async def appending(self) -> None:
        """Wait until an append is under way."""
        await eventually(lambda: "appending" in self.heard)


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Sequencer]:
    task = asyncio.create_task(stage.sequencer.run())
    try:
        yield stage.sequencer
    finally:
        stage.sequencer.stop()
        await task
        stage.sequencer.close()


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def sequencer(stage: Stage) -> AsyncIterator[Sequencer]:
    async with running(stage) as sequencer:
        yield sequencer


def place(
    client_order_id: str, side: Side = Side.BUY, price: str = "100", **fields: Any
) -> PlaceOrder:
    return PlaceOrder(
        **{
            "account": "alice",
            "client_order_id": client_order_id,
            "symbol": "BTC-USD",
            "side": side,
            "type": OrderType.LIMIT,
            "time_in_force": TimeInForce.GTC,
            "quantity": "1",
            "price": price,
            **fields,
        }
    )


def submissions(commands: Sequence[Command]) -> list[Submission]:
    return [submission_of(command) for command in commands]


async def settle(sequencer: Sequencer, outcomes: Sequence[Outcome], count: int) -> None:
    await eventually(lambda: len(outcomes) >= count)
    await sequencer.settled()


def order_of(outcome: Outcome) -> order_pb2.Order:
    assert isinstance(outcome, Done), outcome
    return order_pb2.Order.FromString(outcome.order)


def reason_of(outcome: Outcome) -> Reason:
    assert isinstance(outcome, Refused), outcome
    return outcome.reason


# --- durable first --------------------------------------------------------------------------------


async def test_nothing_is_told_before_it_is_durable(stage: Stage, sequencer: Sequencer) -> None:
    release = stage.hold()
    lane, outcomes = stage.lane()
    sequencer.enter(lane, submissions([place("a-1")]))
    await stage.appending()

    assert len(stage.state.orders) == 1, "the engine has it"
    assert not sequencer.is_settled
    assert (outcomes, stage.published) == ([], [])

    release.set()
    await settle(sequencer, outcomes, 1)
    assert stage.heard == ["appending", "published", "lane 1"]
    assert sequencer.is_settled


async def test_readers_wait_for_the_commit_of_what_they_saw(
    stage: Stage, sequencer: Sequencer
) -> None:
    await sequencer.settled()
    release = stage.hold()
    lane, _ = stage.lane()
    sequencer.enter(lane, submissions([place("a-1")]))
    await stage.appending()
    readers = [asyncio.create_task(sequencer.settled()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(reader.done() for reader in readers)
    # One that goes away takes nothing from the others.
    readers[0].cancel()
    release.set()
    await asyncio.gather(*readers[1:])
    assert stage.journal.last_event() == stage.state.event_number


async def test_a_refusal_needs_no_commit(stage: Stage, sequencer: Sequencer) -> None:
    outcome = await sequencer.submit(place("a-1", price="0.001"), lane="alice")
    assert reason_of(outcome) is Reason.PRICE_OFF_TICK
    assert stage.batch_sizes() == []
    assert stage.published == []


async def test_a_batch_has_all_that_follows_from_its_commands(
    stage: Stage, sequencer: Sequencer
) -> None:
    lane, outcomes = stage.lane()
    sequencer.enter(
        lane,
        submissions(
            [
                place("a-1", Side.SELL),
                place("b-1", account="bob"),
                place("a-2", price="90"),
                CancelOrder("alice", "a-3", 0, "a-2"),
                Deposit("carol", "USD", "5", "d-1"),
            ]
        ),
    )
    await settle(sequencer, outcomes, 5)
    (batch,) = stage.journal.appended[1:]
    numbers = [(chunk.kind, chunk.key, chunk.first, chunk.last) for chunk in batch.chunks]
    assert sorted(numbers) == [
        (FeedKind.EXECUTIONS, "alice", 1, 4),
        (FeedKind.EXECUTIONS, "bob", 1, 2),
        (FeedKind.LEDGER, "alice", 3, 3),
        (FeedKind.LEDGER, "bob", 3, 3),
        (FeedKind.LEDGER, "carol", 3, 3),
        (FeedKind.TRADES, "BTC-USD", 1, 1),
    ]
    assert [row.client_order_id for row in batch.client_ids] == ["a-1", "b-1", "a-2", "a-3", "$d-1"]
    assert {row.sequence for row in batch.closed_orders} == {2, 4}
    assert [candle.trade_count for candle in batch.candles] == [1]
    assert batch.time_ns == BEGIN_NS
    assert stage.published == [Published(batch.chunks, {"BTC-USD"}, batch.last_event)]


async def test_settings_are_told_when_they_are_durable(stage: Stage, sequencer: Sequencer) -> None:
    await sequencer.submit(UpdateAccount("alice", rate_limit_exempt=True), lane="admin")
    await sequencer.submit(RevokeKey("alice", "key-1"), lane="admin")
    account, key = stage.settings
    assert isinstance(account, AccountUpdated)
    assert account.rate_limit_exempt
    assert isinstance(key, KeyStored)
    assert key.key.revoked_ns == BEGIN_NS


# --- batches --------------------------------------------------------------------------------------


async def test_what_arrives_during_a_commit_is_the_next_batch(
    stage: Stage, sequencer: Sequencer
) -> None:
    release = stage.hold()
    lane, outcomes = stage.lane()
    sequencer.enter(lane, submissions([place("a-0")]))
    await stage.appending()
    for number in range(1, 51):
        sequencer.enter(lane, submissions([place(f"a-{number}")]))
    assert sequencer.queue_length == 50
    release.set()
    await settle(sequencer, outcomes, 51)
    assert stage.batch_sizes() == [1, 50]


async def test_a_batch_is_bounded_in_number(stage: Stage, sequencer: Sequencer) -> None:
    lane, outcomes = stage.lane()
    count = 2 * BATCH_COMMANDS_MAX + 10
    sequencer.enter(lane, submissions([place(f"a-{number}") for number in range(count)]))
    await settle(sequencer, outcomes, count)
    assert stage.batch_sizes() == [BATCH_COMMANDS_MAX, BATCH_COMMANDS_MAX, 10]


async def test_a_batch_is_bounded_in_work_and_puts_back_the_rest_in_order(
    stage: Stage, sequencer: Sequencer
) -> None:
    stage.work_s = 2 * BATCH_WORK_S
    first, outcomes = stage.lane("first")
    second, others = stage.lane("second")
    count = 3 * BATCH_COMMANDS_MIN
    sequencer.enter(first, submissions([place(f"a-{number}") for number in range(count)]))
    sequencer.enter(second, submissions([place(f"b-{n}", account="bob") for n in range(count)]))
    await settle(sequencer, outcomes, count)
    await settle(sequencer, others, count)

    assert set(stage.batch_sizes()) == {BATCH_COMMANDS_MIN}
    for name, found in (("a", outcomes), ("b", others)):
        ids = [order_of(outcome).client_order_id for outcome in found]
        assert ids == [f"{name}-{number}" for number in range(count)]
        order_ids = [outcome.order_id for outcome in found if isinstance(outcome, Done)]
        assert order_ids == sorted(order_ids)
    assert sequencer.queue_length == 0


async def test_batches_grow_again_when_there_is_time(stage: Stage, sequencer: Sequencer) -> None:
    stage.work_s = 2 * BATCH_WORK_S
    lane, outcomes = stage.lane()
    sequencer.enter(lane, submissions([place(f"a-{n}") for n in range(BATCH_COMMANDS_MIN + 1)]))
    await settle(sequencer, outcomes, BATCH_COMMANDS_MIN + 1)
    stage.work_s = 0.0
    count = 4 * BATCH_COMMANDS_MAX
    sequencer.enter(lane, submissions([place(f"b-{number}") for number in range(count)]))
    await settle(sequencer, outcomes, BATCH_COMMANDS_MIN + 1 + count)
    assert max(stage.batch_sizes()) == BATCH_COMMANDS_MAX


async def test_lanes_take_turns(stage: Stage, sequencer: Sequencer) -> None:
    lanes = {name: stage.lane(name) for name in ("alice", "bob", "carol")}
    for name, (lane, _) in lanes.items():
        commands = [place(f"{name}-{number}", account=name) for number in range(3)]
        sequencer.enter(lane, submissions(commands))
    for _, outcomes in lanes.values():
        await settle(sequencer, outcomes, 3)
    in_order = sorted(
        (order_of(outcome) for _, outcomes in lanes.values() for outcome in outcomes),
        key=lambda order: int(order.order_id),
    )
    assert [order.client_order_id for order in in_order] == [
        f"{name}-{number}" for number in range(3) for name in ("alice", "bob", "carol")
    ]


async def test_who_sends_little_does_not_wait_for_who_sends_much(
    stage: Stage, sequencer: Sequencer
) -> None:
    release = stage.hold()
    busy, many = stage.lane("busy")
    quiet, one = stage.lane("quiet")
    count = 4 * BATCH_COMMANDS_MAX
    sequencer.enter(busy, submissions([place(f"a-{number}") for number in range(count)]))
    await stage.appending()
    sequencer.enter(quiet, submissions([place("b-1", account="bob")]))
    release.set()
    await settle(sequencer, many, count)
    assert len(one) == 1
    batches = " ".join(stage.heard).split("appending")
    assert "quiet 1" in batches[2], "it is in the next batch"


async def test_unary_commands_of_an_account_share_a_lane(
    stage: Stage, sequencer: Sequencer
) -> None:
    calls = [
        asyncio.create_task(sequencer.submit(place(f"a-{number}"), lane="alice"))
        for number in range(20)
    ]
    outcomes = await asyncio.gather(*calls)
    placed = [order_of(outcome) for outcome in outcomes]
    assert [order.client_order_id for order in placed] == [f"a-{n}" for n in range(20)]
    assert [int(order.order_id) for order in placed] == sorted(int(o.order_id) for o in placed)


async def test_a_caller_that_goes_away_does_not_withdraw_its_command(
    stage: Stage, sequencer: Sequencer
) -> None:
    release = stage.hold()
    first = asyncio.create_task(sequencer.submit(place("a-1"), lane="alice"))
    await stage.appending()
    second = asyncio.create_task(sequencer.submit(place("a-2"), lane="alice"))
    await asyncio.sleep(0)
    for call in (first, second):
        call.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    release.set()
    third = await sequencer.submit(place("a-3"), lane="alice")
    assert order_of(third).client_order_id == "a-3"
    assert len(stage.state.orders) == 3


# --- the queue's bounds ---------------------------------------------------------------------------


def cancels(count: int) -> list[Submission]:
    return submissions([CancelOrder("alice", "", number) for number in range(1, count + 1)])


async def test_a_full_queue_turns_away_all_or_nothing(stage: Stage) -> None:
    sequencer = stage.sequencer
    lane, _ = stage.lane()
    refusals = [Submission(Refused(Reason.FIELD_INVALID, ""))] * (QUEUE_COMMANDS_MAX - 1)
    sequencer.enter(lane, refusals)
    with pytest.raises(Overloaded):
        sequencer.enter(lane, submissions([place("a-1"), place("a-2")]))
    assert sequencer.queue_length == QUEUE_COMMANDS_MAX - 1
    sequencer.enter(lane, submissions([place("a-1")]))
    with pytest.raises(Overloaded):
        sequencer.enter(lane, submissions([place("a-2")]))
    assert sequencer.queue_length == QUEUE_COMMANDS_MAX
    sequencer.close()


async def test_cancels_have_a_reserve(stage: Stage) -> None:
    sequencer = stage.sequencer
    lane, _ = stage.lane()
    sequencer.enter(lane, [Submission(Refused(Reason.FIELD_INVALID, ""))] * QUEUE_COMMANDS_MAX)
    with pytest.raises(Overloaded):
        sequencer.enter(lane, submissions([CancelOrder("alice", "", 1), place("a-1")]))
    with pytest.raises(Overloaded):
        sequencer.enter(lane, submissions([AmendOrder("alice", "a-2", 1, "", "2")]))
    sequencer.enter(lane, cancels(QUEUE_RESERVE - 1))
    sequencer.enter(lane, submissions([CancelAllOrders("alice")]))
    with pytest.raises(Overloaded):
        sequencer.enter(lane, cancels(1))
    # What must not be turned away is not.
    sequencer.enter_always(lane, submissions([CancelConnection("1-1")]))
    assert sequencer.queue_length == QUEUE_COMMANDS_MAX + QUEUE_RESERVE + 1
    sequencer.close()


async def test_an_overloaded_queue_recovers(stage: Stage) -> None:
    lane, outcomes = stage.lane()
    stage.sequencer.enter(
        lane, [Submission(Refused(Reason.FIELD_INVALID, ""))] * QUEUE_COMMANDS_MAX
    )
    async with running(stage) as sequencer:
        await settle(sequencer, outcomes, QUEUE_COMMANDS_MAX)
        outcome = await sequencer.submit(place("a-1"), lane="alice")
    assert order_of(outcome).client_order_id == "a-1"


async def test_nothing_is_taken_when_the_venue_drains(stage: Stage) -> None:
    async with running(stage) as sequencer:
        await sequencer.submit(place("a-1", connection="1-1"), lane="alice")
        sequencer.stop_accepting()
        lane, outcomes = stage.lane()
        with pytest.raises(NotServing):
            sequencer.enter(lane, submissions([place("a-2")]))
        with pytest.raises(NotServing):
            await sequencer.submit(CancelOrder("alice", "", 1), lane="alice")
        # The end of connections still counts.
        sequencer.enter_always(lane, submissions([CancelConnection("1-1")]))
        await settle(sequencer, outcomes, 1)
        assert stage.state.orders == {}
        await sequencer.settled()


async def test_it_stops_when_nothing_waits_any_more(stage: Stage) -> None:
    release = stage.hold()
    lane, outcomes = stage.lane()
    task = asyncio.create_task(stage.sequencer.run())
    stage.sequencer.enter(lane, submissions([place("a-0")]))
    await stage.appending()
    count = 2 * BATCH_COMMANDS_MAX
    stage.sequencer.enter(lane, submissions([place(f"b-{number}") for number in range(count)]))
    stage.sequencer.stop()
    release.set()
    await task
    assert len(outcomes) == count + 1
    stage.sequencer.close()


# --- failing --------------------------------------------------------------------------------------


async def test_a_failed_append_stops_everything_and_tells_nothing(stage: Stage) -> None:
    error = OSError("the disk is gone")

    def fail(batch: Batch) -> None:
        stage.heard.append("appending")
        raise error

    async with running(stage) as sequencer:
        await sequencer.submit(place("a-1"), lane="alice")
        told = len(stage.published)
        lane, outcomes = stage.lane()
        stage.journal.before_append = fail
        lost = asyncio.create_task(sequencer.submit(place("a-2"), lane="alice"))
        sequencer.enter(lane, submissions([place("b-1", account="bob")]))
        waiting = asyncio.create_task(sequencer.settled())
        await eventually(lambda: stage.failures)

        assert stage.failures == [error]
        assert sequencer.failure is error
        assert outcomes == []
        assert len(stage.published) == told
        assert not lost.done()
        with pytest.raises(NotServing):
            await sequencer.settled()
        with pytest.raises(NotServing):
            sequencer.enter(lane, submissions([place("b-2", account="bob")]))
        with contextlib.suppress(NotServing):
            await waiting
        lost.cancel()
        # Appended once: a failed write is not tried again.
        assert stage.heard.count("appending") == 1


async def test_readers_of_a_batch_that_failed_are_not_shown_it(stage: Stage) -> None:
    release = threading.Event()

    def fail(batch: Batch) -> None:
        stage.heard.append("appending")
        assert release.wait(20)
        raise OSError("the disk is gone")

    stage.journal.before_append = fail
    async with running(stage) as sequencer:
        lane, _ = stage.lane()
        sequencer.enter(lane, submissions([place("a-1")]))
        await stage.appending()
        reader = asyncio.create_task(sequencer.settled())
        await asyncio.sleep(0)
        release.set()
        with pytest.raises(NotServing):
            await reader


async def test_a_broken_rule_of_the_engine_stops_everything(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("a rule is broken")

    async with running(stage) as sequencer:
        monkeypatch.setattr(module, "fold", broken)
        lane, outcomes = stage.lane()
        sequencer.enter(lane, submissions([place("a-1")]))
        await eventually(lambda: stage.failures)
        assert isinstance(stage.failures[0], AssertionError)
        assert outcomes == []
        assert stage.batch_sizes() == []


# --- time -----------------------------------------------------------------------------------------


async def test_the_time_of_a_batch_never_goes_back(stage: Stage, sequencer: Sequencer) -> None:
    times: list[int] = []
    for step_ns in (5, -1000, 3, 10**9, -(10**12)):
        stage.now_ns += step_ns
        await sequencer.submit(place(f"a-{len(times)}"), lane="alice")
        times.append(stage.journal.last_time_ns())
    assert times == sorted(times)
    assert times[1] == times[0] == BEGIN_NS + 5
    assert stage.state.time_ns == times[-1]


async def test_a_command_is_refused_after_its_time_and_not_at_it(
    stage: Stage, sequencer: Sequencer
) -> None:
    in_time = await sequencer.submit(place("a-1"), lane="alice", valid_until_ns=BEGIN_NS)
    late = await sequencer.submit(place("a-2"), lane="alice", valid_until_ns=BEGIN_NS - 1)
    assert order_of(in_time).client_order_id == "a-1"
    assert reason_of(late) is Reason.DEADLINE_PASSED
    assert (await sequencer.submit(place("a-2"), lane="alice")) is not None


async def test_a_repeat_has_its_first_answer_however_late_it_is(
    stage: Stage, sequencer: Sequencer
) -> None:
    first = await sequencer.submit(place("a-1"), lane="alice")
    for is_own in (False, True):
        late = await sequencer.submit(
            place("a-1"), lane="alice", valid_until_ns=1, is_deadline_own=is_own
        )
        assert late == first


async def test_a_deadline_of_the_commands_own_makes_a_repeat_useless(
    stage: Stage, sequencer: Sequencer
) -> None:
    for is_own, metadata in ((False, ()), (True, (("retryable", "false"),))):
        late = await sequencer.submit(
            place("a-1"), lane="alice", valid_until_ns=1, is_deadline_own=is_own
        )
        assert isinstance(late, Refused)
        assert (late.reason, late.metadata) == (Reason.DEADLINE_PASSED, metadata)


async def test_a_deadline_is_looked_at_when_its_turn_comes(
    stage: Stage, sequencer: Sequencer
) -> None:
    release = stage.hold()
    lane, outcomes = stage.lane()
    sequencer.enter(lane, submissions([place("a-1")]))
    await stage.appending()
    sequencer.enter(lane, [submission_of(place("a-2"), BEGIN_NS + 10)])
    stage.now_ns += 11
    release.set()
    await settle(sequencer, outcomes, 2)
    assert reason_of(outcomes[1]) is Reason.DEADLINE_PASSED


async def test_what_is_due_expires_before_the_commands_of_a_batch(
    stage: Stage, sequencer: Sequencer
) -> None:
    expiring = place("a-1", Side.SELL, time_in_force=TimeInForce.GTD, expire_time_ns=BEGIN_NS + 10)
    await sequencer.submit(expiring, lane="alice")
    stage.now_ns += 10
    bought = await sequencer.submit(place("b-1", account="bob"), lane="bob")
    assert order_of(bought).filled_quantity == "0"
    events = decode_events(stage.journal.appended[-1].payload)
    assert [type(event).__name__ for event in events] == ["OrderCanceled", "OrderAccepted"]


async def test_an_order_expires_without_anybody_asking(stage: Stage) -> None:
    stage.now_ns = time.time_ns()
    stage.sequencer._clock_ns = time.time_ns
    async with running(stage) as sequencer:
        for number, delay_ms in enumerate((40, 15, 3_600_000)):
            expire_time_ns = time.time_ns() + delay_ms * 10**6
            await sequencer.submit(
                place(
                    f"a-{number}",
                    time_in_force=TimeInForce.GTD,
                    expire_time_ns=expire_time_ns,
                ),
                lane="alice",
            )
        await eventually(lambda: len(stage.state.orders) == 1)
        await sequencer.settled()
        (left,) = stage.state.orders.values()
        assert left.client_order_id == "a-2"


async def test_a_drained_venue_expires_nothing_more(stage: Stage) -> None:
    async with running(stage) as sequencer:
        expiring = place("a-1", time_in_force=TimeInForce.GTD, expire_time_ns=BEGIN_NS + 10)
        await sequencer.submit(expiring, lane="alice")
    stage.now_ns += 100
    assert len(stage.state.orders) == 1


# --- ids ------------------------------------------------------------------------------------------


async def test_a_repeat_within_a_batch_gets_the_first_answer(
    stage: Stage, sequencer: Sequencer
) -> None:
    lane, outcomes = stage.lane()
    sequencer.enter(
        lane,
        submissions(
            [
                place("a-1"),
                place("a-1"),
                place("a-1", price="99"),
                AmendOrder("alice", "a-2", 0, "a-1", "2"),
                AmendOrder("alice", "a-2", 0, "a-1", "2"),
                CancelOrder("alice", "a-3", 0, "a-2"),
                CancelOrder("alice", "a-3", 0, "a-2"),
                CancelOrder("alice", "a-4", 0, "a-2"),
                place("a-1"),
            ]
        ),
    )
    await settle(sequencer, outcomes, 9)
    assert outcomes[0] == outcomes[1] == outcomes[8]
    assert reason_of(outcomes[2]) is Reason.CLIENT_ORDER_ID_REUSED
    assert outcomes[3] == outcomes[4]
    assert outcomes[5] == outcomes[6]
    assert reason_of(outcomes[7]) is Reason.ORDER_CLOSED
    assert stage.batch_sizes() == [3]


async def test_a_repeat_after_the_batch_gets_the_same_answer(
    stage: Stage, sequencer: Sequencer
) -> None:
    commands: list[Command] = [
        place("a-1", Side.SELL, quantity="2"),
        place("b-1", account="bob"),
        place("b-2", account="bob", price="100", post_only=PostOnly.REJECT),
        AmendOrder("alice", "a-2", 0, "a-1", "1.5"),
        CancelOrder("alice", "a-3", 0, "a-2"),
        Deposit("alice", "USD", "5", "d-1"),
        Withdraw("alice", "USD", "5", "w-1"),
    ]
    first = [await sequencer.submit(command, lane="x") for command in commands]
    events = stage.state.event_number
    again = [await sequencer.submit(command, lane="y") for command in commands]
    assert isinstance(first[2], Done)
    assert first[2].rejected is Reason.POST_ONLY_WOULD_TRADE
    for before, after in zip(first[:5], again[:5], strict=True):
        assert after == before
    for before, after in zip(first[5:], again[5:], strict=True):
        assert isinstance(before, Done)
        assert isinstance(after, Done)
        assert after.ledger_entry == before.ledger_entry
        assert after.ledger_sequence == before.ledger_sequence
    assert stage.state.event_number == events


async def test_the_connection_is_no_part_of_what_is_asked_for(
    stage: Stage, sequencer: Sequencer
) -> None:
    first = await sequencer.submit(place("a-1", connection="1-1"), lane="x")
    assert await sequencer.submit(place("a-1", connection="1-2"), lane="x") == first
    assert await sequencer.submit(place("a-1"), lane="x") == first


async def test_an_id_of_a_working_order_stays_taken_when_the_index_has_forgotten_it(
    stage: Stage, sequencer: Sequencer
) -> None:
    await sequencer.submit(place("a-1"), lane="x")
    stage.journal.forgotten.add(("alice", "a-1"))
    again = await sequencer.submit(place("a-1"), lane="x")
    assert reason_of(again) is Reason.CLIENT_ORDER_ID_REUSED
    other = await sequencer.submit(CancelOrder("alice", "a-1", 0, "a-1"), lane="x")
    assert reason_of(other) is Reason.CLIENT_ORDER_ID_REUSED


async def test_a_full_index_refuses_new_ids_and_knows_the_old_ones(
    stage: Stage, sequencer: Sequencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await sequencer.submit(place("a-1"), lane="x")
    monkeypatch.setattr(module, "CLIENT_IDS_MAX", 1)
    refused = await sequencer.submit(place("a-2"), lane="x")
    assert reason_of(refused) is Reason.ID_CAPACITY_REACHED
    assert await sequencer.submit(place("a-1"), lane="x") == first
    # Cancels by order id need none.
    assert isinstance(first, Done)
    canceled = await sequencer.submit(CancelOrder("alice", "", first.order_id), lane="x")
    assert order_of(canceled).status == order_pb2.ORDER_STATUS_CANCELED


async def test_request_ids_and_client_order_ids_do_not_meet(
    stage: Stage, sequencer: Sequencer
) -> None:
    await sequencer.submit(place("x-1"), lane="x")
    assert isinstance(await sequencer.submit(Deposit("alice", "USD", "1", "x-1"), lane="x"), Done)
    other = await sequencer.submit(Withdraw("alice", "USD", "1", "x-1"), lane="x")
    assert reason_of(other) is Reason.REQUEST_ID_REUSED


async def test_ids_cannot_be_joined_into_the_content_of_others() -> None:
    """What is hashed is the fields, not the text that they make together."""
    one = submission_of(AmendOrder("alice", "a", 0, "b", "1", "2"))
    two = submission_of(AmendOrder("alice", "a", 0, "b1", "", "2"))
    assert one.content_hash != two.content_hash
    assert len({submission_of(place("a", price=p)).content_hash for p in "123"}) == 3


@pytest.mark.parametrize(
    "command",
    [
        place("a-1"),
        PlaceOrder(
            "alice",
            "a-1",
            "BTC-USD",
            Side.SELL,
            OrderType.LIMIT,
            TimeInForce.GTD,
            "0.01",
            "",
            "10",
            10**18,
            PostOnly.REPRICE,
            SelfTradePrevention.DECREMENT,
            "1-1",
        ),
        AmendOrder("alice", "a-2", 10**20, "", "1", "2"),
        CancelOrder("alice", "a-2", 0, "a-1"),
        Deposit("alice", "USD", "1", "r-1"),
        Withdraw("alice", "USD", "1", "r-1"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_the_digest_of_a_command_is_that_of_its_fields_one_by_one(command: Command) -> None:
    """It is stored: no release may make another one."""
    fields = [str(value) for value in command]
    if isinstance(command, PlaceOrder):
        del fields[PlaceOrder._fields.index("connection")]
    text = "\x1f".join((type(command).__name__, *fields))
    expected = hashlib.blake2b(text.encode(), digest_size=16).digest()
    assert submission_of(command).content_hash == expected


# --- keys -----------------------------------------------------------------------------------------


async def test_no_command_of_a_key_comes_after_its_end(stage: Stage, sequencer: Sequencer) -> None:
    lane, outcomes = stage.lane()
    sequencer.enter(
        lane,
        [
            submission_of(place("a-1"), api_key="key-1"),
            submission_of(RevokeKey("alice", "key-1")),
            submission_of(place("a-2"), api_key="key-1"),
            submission_of(place("a-1"), api_key="key-1"),
            submission_of(CancelOrder("alice", "", 1), api_key="nobody"),
        ],
    )
    await settle(sequencer, outcomes, 5)
    assert order_of(outcomes[0]).client_order_id == "a-1"
    assert [reason_of(outcome) for outcome in outcomes[2:]] == [Reason.KEY_REVOKED] * 3


# --- orders that are not in the state -------------------------------------------------------------


async def test_a_closed_order_is_told_from_one_that_never_was(
    stage: Stage, sequencer: Sequencer
) -> None:
    lane, outcomes = stage.lane()
    placed = await sequencer.submit(place("a-1"), lane="x")
    assert isinstance(placed, Done)
    await sequencer.submit(CancelOrder("alice", "", placed.order_id), lane="x")
    sequencer.enter(
        lane,
        submissions(
            [
                CancelOrder("alice", "", placed.order_id),
                CancelOrder("alice", "", 0, "a-1"),
                AmendOrder("alice", "a-2", placed.order_id, "", "2"),
                CancelOrder("bob", "", placed.order_id),
                CancelOrder("bob", "", 0, "a-1"),
                CancelOrder("alice", "", 999),
                CancelOrder("alice", "", 0, "none"),
            ]
        ),
    )
    await settle(sequencer, outcomes, 7)
    assert [reason_of(outcome) for outcome in outcomes] == [
        *[Reason.ORDER_CLOSED] * 3,
        *[Reason.ORDER_NOT_FOUND] * 4,
    ]


async def test_an_order_closed_in_the_same_batch_is_closed(
    stage: Stage, sequencer: Sequencer
) -> None:
    lane, outcomes = stage.lane()
    sequencer.enter(
        lane,
        submissions(
            [
                place("a-1", Side.SELL),
                place("b-1", account="bob"),
                CancelOrder("alice", "", 0, "a-1"),
                CancelOrder("bob", "", 0, "b-1"),
            ]
        ),
    )
    await settle(sequencer, outcomes, 4)
    assert [reason_of(outcome) for outcome in outcomes[2:]] == [Reason.ORDER_CLOSED] * 2
