"""The single writer: takes commands from everywhere, decides their order, makes them durable,
answers.
 Theory of operation. Commands wait in *lanes*: one per order-entry stream, one per account for
unary calls. One task drains them, round-robin over the lanes, at most `BATCH_COMMANDS_MAX` commands
or `BATCH_WORK_S` of work at a time. The whole batch runs through the engine at one batch time, the
resulting events are committed in one durable write in a thread of its own, and only then is
anything published or answered. While the write is in flight the next batch gathers: batches grow
with the load, and without load a command waits for nothing. The event loop is never two batches
ahead: while a commit is in flight no command is applied, so everything in the state is durable
except the one batch that `settled` waits for.
 Exactly once. The client id of a command is looked up before any rule of the engine: first in the
batch at hand, then in the journal's index, one statement for the whole batch. A known id with equal
content gets the first answer, read back from the execution that it was; with other content it is
refused.
 Fail stop. A failed write is never retried: the state in memory is ahead of the journal by then,
and the disk is not to be trusted. Nothing more is answered, `on_failure` is called, and the process
ends.
 Unfilled orders. How many orders an account may place without a fill is counted here and nowhere
else, whatever an order came by: only here it is known whether an order is new, a repeat of one, or
none in the end. An order takes its place in the count at its turn, before the engine's rules, and
gives it back when it is refused or rejected, or with its first fill.
 Left out deliberately: reads (they look at the state and wait in `settled`), and authorisation,
rate limits and validation (they are done before a command comes here).
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, Protocol, get_type_hints

from tradewire_server.auth.unfilled_orders import UnfilledCount, UnfilledOrders
from tradewire_server.engine.commands import (
    AmendOrder,
    CancelAllOrders,
    CancelOrder,
    Command,
    Deposit,
    ExpireOrders,
    PlaceOrder,
    Refused,
    Withdraw,
)
from tradewire_server.engine.decide import decide
from tradewire_server.engine.events import (
    AccountUpdated,
    Event,
    KeyStored,
    OrderAmended,
    OrderCanceled,
    OrderRejected,
    make,
)
from tradewire_server.engine.fold import fold
from tradewire_server.engine.state import State
from tradewire_server.engine.vocabulary import NO_REASON, Reason
from tradewire_server.feeds import FeedChunk, FeedKind, split
from tradewire_server.journal.codec import encode_events
from tradewire_server.journal.records import Batch, ClientIdRow, Journal
from tradewire_server.recorder import Encoder, Recorder

BATCH_COMMANDS_MAX = 512
BATCH_WORK_S = 0.005
BATCH_COMMANDS_MIN = 16
QUEUE_COMMANDS_MAX = 16_384
QUEUE_RESERVE = 2_048
CLIENT_IDS_MAX = 200_000_000
# A request id of a deposit or withdrawal shares the index with client order ids, which never
# contain this.
REQUEST_ID_PREFIX = "$"

IdKey = tuple[str, str]


class Done(NamedTuple):
    """What a command did. `order` is the serialised Order after it, if it is about one."""

    as_of_sequence: int
    order: bytes = b""
    order_id: int = 0
    rejected: Reason = Reason.UNSPECIFIED
    priority_kept: bool = False
    canceled_count: int = 0
    ledger_sequence: int = 0
    ledger_entry: bytes = b""


Outcome = Done | Refused


class Submission(NamedTuple):
    """A command on its way to the engine; refused without effect when dequeued after
    `valid_until_ns`, for good if that is part of the command (`is_deadline_own`).

    A refusal in place of the command keeps its place in the lane, so that outcomes come in order.
    `tag` is the lane's own. `api_key` is the key that asks, none for the venue itself: its end is
    an event as well, and no command of it comes after that.
    """

    command: Command | Refused
    valid_until_ns: int = 0
    tag: Any = None
    key: IdKey | None = None
    content_hash: bytes = b""
    api_key: str = ""
    is_deadline_own: bool = False


def submission_of(
    command: Command,
    valid_until_ns: int = 0,
    tag: Any = None,
    *,
    api_key: str = "",
    is_deadline_own: bool = False,
) -> Submission:
    """Return a command with its place in the index of ids."""
    key = id_key(command)
    digest = content_hash(command) if key is not None else b""
    fields = (command, valid_until_ns, tag, key, digest, api_key, is_deadline_own)
    return make(Submission, fields)


def _too_late(submission: Submission) -> Refused:
    if submission.is_deadline_own:
        text = (
            "valid_until had passed before the command's turn came, and it had no effect: send it "
            "with a later one, or with none"
        )
        return Refused(Reason.DEADLINE_PASSED, text, "valid_until", (("retryable", "false"),))
    return Refused(
        Reason.DEADLINE_PASSED, "the command waited beyond its deadline and had no effect"
    )


class Published(NamedTuple):
    """What one durable batch changed, for the streams."""

    chunks: list[FeedChunk]
    changed_books: set[str]
    event_number: int


class Deliver(Protocol):
    """Takes the outcomes of a lane's commands of one batch, in their order, after publication."""

    def __call__(self, results: list[tuple[Submission, Outcome]], /) -> None: ...


class Lane:
    """A source of commands whose order is kept."""

    __slots__ = ("deliver", "queue", "results")

    def __init__(self, deliver: Deliver) -> None:
        self.deliver = deliver
        self.queue: deque[Submission] = deque()
        self.results: list[tuple[Submission, Outcome]] = []


class Overloaded(Exception):
    """The queue is full; nothing was queued."""


class NotServing(Exception):
    """The venue drains or has failed; nothing was queued."""


class Sequencer:
    """See the module's docstring. All methods belong to the event loop's thread."""

    def __init__(
        self,
        state: State,
        journal: Journal,
        encoder: Encoder,
        *,
        unfilled_orders: UnfilledOrders,
        clock_ns: Callable[[], int],
        monotonic: Callable[[], float],
        publish: Callable[[Published], None],
        on_settings: Callable[[KeyStored | AccountUpdated], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.state = state
        self._journal = journal
        self._encoder = encoder
        self._recorder = Recorder(encoder, first_fill=self._give_back)
        self._unfilled_orders = unfilled_orders
        self._clock_ns = clock_ns
        self._monotonic = monotonic
        self._publish = publish
        self._on_settings = on_settings
        self._on_failure = on_failure
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal-writer")
        self._active: deque[Lane] = deque()
        # How many commands the work time has room for, as the last batches showed.
        self._batch_size = BATCH_COMMANDS_MAX
        self._unary_lanes: dict[str, Lane] = {}
        self._waiting = 0
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._unsettled: asyncio.Future[None] | None = None
        # The clock at the batch. Its own time may be ahead of that, after the clock was set back.
        self._clock_time_ns = 0
        self._batch_ids: dict[IdKey, tuple[ClientIdRow, Done]] = {}
        self._ids_full = False
        self._accepting = True
        self._stopping = False
        self.failure: BaseException | None = None

    # --- for those who submit ---------------------------------------------------------------------

    @property
    def queue_length(self) -> int:
        """Commands that wait."""
        return self._waiting

    def enter(self, lane: Lane, submissions: Sequence[Submission]) -> None:
        """Queue commands of a lane, all or none.

        Raises Overloaded when there is no room, NotServing when the venue takes no commands.
        """
        if not self._accepting:
            raise NotServing
        room = QUEUE_COMMANDS_MAX - self._waiting
        if len(submissions) > room and (
            len(submissions) > room + QUEUE_RESERVE
            or not all(
                isinstance(s.command, CancelOrder | CancelAllOrders | Refused) for s in submissions
            )
        ):
            raise Overloaded
        self.enter_always(lane, submissions)

    def enter_always(self, lane: Lane, submissions: Sequence[Submission]) -> None:
        """Queue what must not be turned away, whatever the queue's length and while draining:
        cancels of a lost connection, and refusals, which cost nothing.
        """
        if not lane.queue and submissions:
            self._active.append(lane)
        lane.queue.extend(submissions)
        self._waiting += len(submissions)
        self._wake.set()

    async def submit(
        self,
        command: Command,
        *,
        lane: str,
        valid_until_ns: int = 0,
        api_key: str = "",
        is_deadline_own: bool = False,
    ) -> Outcome:
        """Queue one command on the unary lane of that name and wait until its outcome is durable.

        Cancellation of the caller does not withdraw the command. Raises as `enter` does.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        unary = self._unary_lanes.get(lane)
        if unary is None:
            unary = self._unary_lanes[lane] = Lane(_resolve)
        submission = submission_of(
            command, valid_until_ns, future, api_key=api_key, is_deadline_own=is_deadline_own
        )
        self.enter(unary, [submission])
        return await future

    async def settled(self) -> None:
        """Wait until everything that is in the state now is durable and published.

        Raises NotServing when it is not and never will be.
        """
        if self._unsettled is not None:
            await asyncio.shield(self._unsettled)
        if self.failure is not None:
            raise NotServing

    @property
    def is_settled(self) -> bool:
        """Tell whether everything in the state is durable and published."""
        return self._unsettled is None

    # --- life ---

    async def run(self) -> None:
        """Process batches until `stop` was called and nothing waits."""
        try:
            while not (self._stopping and not self._waiting):
                await self._wake.wait()
                self._wake.clear()
                while self._waiting or self._due():
                    await self._one_batch()
                    # Lets frames that arrived meanwhile be read, so that the next batch is a
                    # large one.
                    await asyncio.sleep(0)
                self._arm()
        except Exception as error:  # noqa: BLE001 - the outermost loop: any failure here stops the venue
            self.failure = error
            self._accepting = False
            if self._unsettled is not None:
                # Wakes those who wait in `settled`; they see the failure and show nothing.
                self._unsettled.set_result(None)
            self._on_failure(error)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def stop_accepting(self) -> None:
        """Refuse new commands from now on."""
        self._accepting = False

    def stop(self) -> None:
        """Let `run` return as soon as nothing waits."""
        self._accepting = False
        self._stopping = True
        self._wake.set()

    def close(self) -> None:
        """Free the writer's thread."""
        self._writer.shutdown(wait=True)

    def _due(self) -> bool:
        expiries = self.state.expiries
        return bool(expiries) and not self._stopping and expiries[0][0] <= self._now_ns()

    def _arm(self) -> None:
        """Wake up when the next order expires."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.state.expiries and not self._stopping:
            # Far ahead the wall clock may be set; look again every minute.
            delay_s = min((self.state.expiries[0][0] - self._now_ns()) / 10**9, 60)
            self._timer = asyncio.get_running_loop().call_later(max(delay_s, 0), self._wake.set)

    def _now_ns(self) -> int:
        return max(self.state.time_ns, self._clock_ns())

    # --- a batch ---

    async def _one_batch(self) -> None:
        taken = self._take()
        self._clock_time_ns = self._clock_ns()
        now_ns = max(self.state.time_ns, self._clock_time_ns)
        recorder = self._recorder
        recorder.begin(now_ns)
        self._batch_ids = {}
        self._ids_full = self._journal.client_id_count(now_ns) >= CLIENT_IDS_MAX
        first_event = self.state.event_number + 1
        events: list[Event] = []
        rows: list[ClientIdRow] = []
        self._run(ExpireOrders(), now_ns, events)
        known = self._journal.find_client_ids(
            [submission.key for _, submission in taken if submission.key is not None]
        )
        lanes: dict[int, Lane] = {}
        started = self._monotonic()
        for position, (lane, submission) in enumerate(taken, 1):
            outcome = self._execute(submission, now_ns, known, events, rows)
            if not lane.results:
                lanes[id(lane)] = lane
            lane.results.append((submission, outcome))
            if position % BATCH_COMMANDS_MIN == 0 and self._monotonic() - started > BATCH_WORK_S:
                self._put_back(taken[position:])
                self._batch_size = position
                break
        else:
            self._batch_size = min(2 * self._batch_size, BATCH_COMMANDS_MAX)
        if events:
            batch = Batch(
                first_event,
                self.state.event_number,
                now_ns,
                encode_events(events),
                recorder.chunks(),
                rows,
                recorder.closed_orders(),
                recorder.candles(),
            )
            await self._commit(batch, events)
        for lane in lanes.values():
            results, lane.results = lane.results, []
            lane.deliver(results)
        if self._unsettled is not None:
            self._unsettled.set_result(None)
            self._unsettled = None

    async def _commit(self, batch: Batch, events: list[Event]) -> None:
        """Make a batch durable, then publish it."""
        loop = asyncio.get_running_loop()
        self._unsettled = loop.create_future()
        await loop.run_in_executor(self._writer, self._journal.append, batch)
        changed, self.state.changed_books = self.state.changed_books, set()
        for event in events:
            if isinstance(event, KeyStored | AccountUpdated):
                self._on_settings(event)
        self._publish(Published(batch.chunks, changed, batch.last_event))

    def _take(self) -> list[tuple[Lane, Submission]]:
        taken: list[tuple[Lane, Submission]] = []
        active = self._active
        while active and len(taken) < self._batch_size:
            lane = active.popleft()
            queue = lane.queue
            # In turns; a lane that is alone has them all.
            count = 1 if active else min(len(queue), self._batch_size - len(taken))
            taken += [(lane, queue.popleft()) for _ in range(count)]
            if queue:
                active.append(lane)
        self._waiting -= len(taken)
        return taken

    def _put_back(self, rest: list[tuple[Lane, Submission]]) -> None:
        """Return what the batch had no time for to the front of its lanes."""
        self._waiting += len(rest)
        for lane, submission in reversed(rest):
            if not lane.queue:
                self._active.appendleft(lane)
            lane.queue.appendleft(submission)

    # --- a command ---

    def _run(self, command: Command, now_ns: int, events: list[Event]) -> list[Event] | Refused:
        decided = decide(self.state, command, now_ns)
        if isinstance(decided, Refused):
            return decided
        for event in decided:
            fold(self.state, event, now_ns, self._recorder)
        events += decided
        return decided

    def _execute(
        self,
        submission: Submission,
        now_ns: int,
        known: dict[IdKey, ClientIdRow],
        events: list[Event],
        rows: list[ClientIdRow],
    ) -> Outcome:
        command = submission.command
        if isinstance(command, Refused):
            return command
        _, valid_until_ns, _, key, digest, api_key, _ = submission
        if api_key:
            ended = self._ended(api_key)
            if ended is not None:
                return ended
        if key is not None:
            known_outcome = self._known(command, key, digest, known)
            if known_outcome is not None:
                return known_outcome
        # Behind the look-up: a repeat has its first answer, however late it is.
        if valid_until_ns and self._clock_time_ns > valid_until_ns:
            return _too_late(submission)
        if isinstance(command, PlaceOrder):
            return self._place(command, submission, now_ns, events, rows)
        outcome = self._perform(command, submission, now_ns, events, rows)
        if isinstance(outcome, Refused) and outcome.reason is Reason.ORDER_NOT_FOUND:
            return self._not_found(submission, outcome, now_ns, known, events, rows)
        return outcome

    def _perform(
        self,
        command: Command,
        submission: Submission,
        now_ns: int,
        events: list[Event],
        rows: list[ClientIdRow],
    ) -> Outcome:
        """Run a command that is new, and remember its id if it was done."""
        decided = self._run(command, now_ns, events)
        if isinstance(decided, Refused):
            return decided
        done = self._done(command, decided)
        key = submission.key
        if key is not None:
            sequence = done.ledger_sequence or done.as_of_sequence
            row = make(ClientIdRow, (*key, submission.content_hash, done.order_id, sequence))
            rows.append(row)
            self._batch_ids[key] = (row, done)
        return done

    def _place(
        self,
        command: PlaceOrder,
        submission: Submission,
        now_ns: int,
        events: list[Event],
        rows: list[ClientIdRow],
    ) -> Outcome:
        """Run a new order, unless its account has too many that are not filled."""
        account = self.state.accounts.get(command.account)
        if account is None or account.rate_limit_exempt:
            return self._perform(command, submission, now_ns, events, rows)
        count = self._unfilled_orders.place(account.name, now_ns=self._clock_time_ns)
        if count is not None:
            return _too_many_unfilled(count)
        outcome = self._perform(command, submission, now_ns, events, rows)
        if isinstance(outcome, Refused) or outcome.rejected:
            self._give_back(account.name)
        return outcome

    def _give_back(self, account: str) -> None:
        """Take an order off the account's unfilled ones: it traded, or never came to be."""
        self._unfilled_orders.give_back(account, now_ns=self._clock_time_ns)

    def _ended(self, api_key: str) -> Refused | None:
        """Return why no command of a key is executed any more, None while it lives."""
        key = self.state.keys.get(api_key)
        if key is None or key.revoked_ns:
            return Refused(Reason.KEY_REVOKED, "the key was revoked before the command's turn")
        if key.expires_ns and key.expires_ns <= self._clock_time_ns:
            return Refused(Reason.KEY_EXPIRED, "the key expired before the command's turn")
        return None

    def _done(self, command: Command, events: list[Event]) -> Done:
        """Return the answer that follows from a command's events."""
        if isinstance(command, (PlaceOrder, AmendOrder, CancelOrder)):
            first = events[0]
            order_id: int = first.order_id  # type: ignore[union-attr]
            sequence, order = self._recorder.last_execution(order_id)
            rejected = first.reason if isinstance(first, OrderRejected) else NO_REASON
            kept = isinstance(first, OrderAmended) and first.priority_kept
            return make(Done, (sequence, order, order_id, rejected, kept, 0, 0, b""))
        if isinstance(command, Deposit | Withdraw):
            entry = self._recorder.last_ledger_entry()
            account = self.state.accounts[command.account]
            return Done(
                account.sequence, ledger_sequence=entry.ledger_sequence, ledger_entry=entry.message
            )
        account_name = getattr(command, "account", "")
        found = self.state.accounts.get(account_name)
        canceled = sum(1 for event in events if isinstance(event, OrderCanceled))
        return Done(found.sequence if found is not None else 0, canceled_count=canceled)

    def _known(
        self, command: Command, key: IdKey, digest: bytes, known: dict[IdKey, ClientIdRow]
    ) -> Outcome | None:
        """Return the first answer to a repeated command, or why its id cannot be used; None if it
        is new.
        """
        in_batch = self._batch_ids.get(key)
        row = in_batch[0] if in_batch is not None else known.get(key)
        if row is None:
            name, client_id = key
            account = self.state.accounts.get(name)
            if account is not None and client_id in account.client_order_ids:
                return _reused(command)
            if self._ids_full:
                return Refused(
                    Reason.ID_CAPACITY_REACHED, "the index of client order ids is at its bound"
                )
            return None
        if row.content_hash != digest:
            return _reused(command)
        return in_batch[1] if in_batch is not None else self._first_answer(command, row)

    def _first_answer(self, command: Command, row: ClientIdRow) -> Done:
        """Read the answer back from the feed entry that it was."""
        is_money = isinstance(command, Deposit | Withdraw)
        kind = FeedKind.LEDGER if is_money else FeedKind.EXECUTIONS
        found = self._journal.read_feed(kind, row.account, after=row.sequence - 1, max_bytes=1)
        message = split(found[0].data)[0]
        if is_money:
            return Done(0, ledger_sequence=row.sequence, ledger_entry=message)
        answer = self._encoder.stored_answer(message)
        return Done(row.sequence, answer.order, row.order_id, answer.rejected, answer.priority_kept)

    def _not_found(
        self,
        submission: Submission,
        refused: Refused,
        now_ns: int,
        known: dict[IdKey, ClientIdRow],
        events: list[Event],
        rows: list[ClientIdRow],
    ) -> Outcome:
        """Tell a closed order from one that never was, and find an open one by an old id of its
        chain.
        """
        command = submission.command
        assert isinstance(command, AmendOrder | CancelOrder)
        order_id = command.order_id
        if not order_id:
            key = (command.account, command.original_client_order_id)
            in_batch = self._batch_ids.get(key)
            row = in_batch[0] if in_batch else self._journal.find_client_ids([key]).get(key)
            if row is None:
                return refused
            order_id = row.order_id
            if order_id in self.state.orders:
                # The order has had too many amends for its memory to know this id; the index does.
                named = command._replace(order_id=order_id, original_client_order_id="")
                again = submission._replace(command=named)
                return self._execute(again, now_ns, known, events, rows)
        if self._recorder.closed_in_batch(command.account, order_id) or (
            self._journal.closed_order(command.account, order_id) is not None
        ):
            return Refused(Reason.ORDER_CLOSED, f"order {order_id} is closed", refused.field)
        return refused


def _resolve(results: list[tuple[Submission, Outcome]]) -> None:
    """Answer unary calls; one that was canceled meanwhile is not told."""
    for submission, outcome in results:
        future: asyncio.Future[Outcome] = submission.tag
        if not future.done():
            future.set_result(outcome)


def _too_many_unfilled(count: UnfilledCount) -> Refused:
    return Refused(
        Reason.RATE_LIMITED,
        f"{count.limit} orders placed within {count.interval_s} s are not filled: wait "
        f"{count.reset_ms} ms, or trade; a fill gives back at once, a cancel does not",
        metadata=(
            ("scope", "unfilled_orders"),
            ("limit", str(count.limit)),
            ("interval_seconds", str(count.interval_s)),
            ("retry_after_ms", str(count.reset_ms)),
        ),
    )


def _reused(command: Command) -> Refused:
    if isinstance(command, Deposit | Withdraw):
        text = f"request id {command.request_id} was used for another request"
        return Refused(Reason.REQUEST_ID_REUSED, text, "request_id")
    text = "the client order id was used for a command with other content"
    return Refused(Reason.CLIENT_ORDER_ID_REUSED, text, "client_order_id")


def id_key(command: Command) -> IdKey | None:
    """Return the place of a command's id in the index, None if it has none."""
    if isinstance(command, (PlaceOrder, AmendOrder, CancelOrder)):
        return (command.account, command.client_order_id) if command.client_order_id else None
    if isinstance(command, (Deposit, Withdraw)):
        return (command.account, REQUEST_ID_PREFIX + command.request_id)
    return None


def content_hash(command: Command) -> bytes:
    """Return a digest of what a command asks for, without the connection that carries it.

    It is stored with the command's id: equal commands have to have equal digests in every release.
    """
    text = _CONTENTS[type(command)] % command
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _content(kind: type[tuple[Any, ...]]) -> str:
    """Return a template of the texts of a command's fields, all in one: field by field they took
    twice as long. An enumeration is the number that it is.
    """
    hints = get_type_hints(kind)
    parts = [kind.__name__]
    for name in kind._fields:  # type: ignore[attr-defined]
        is_number = issubclass(hints[name], int)
        # Of a connection nothing is shown.
        parts.append("%.0s" if name == "connection" else "\x1f%d" if is_number else "\x1f%s")
    return "".join(parts)


_CONTENTS: Final[dict[type, str]] = {
    kind: _content(kind) for kind in (PlaceOrder, AmendOrder, CancelOrder, Deposit, Withdraw)
}
