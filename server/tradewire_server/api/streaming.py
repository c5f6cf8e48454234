"""The life of a server stream: batches, the end of the replay, heartbeats, and the end said in
band.
 All stream responses of the contract have the same shape (batch, snapshot, caught_up, heartbeat,
closing) with the same field numbers; a test holds them to it. So one piece of code writes them all,
as bytes: a batch is the stored bytes of its entries, never parsed.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from google.rpc import status_pb2
from tradewire.v1 import order_service_pb2, stream_pb2

from tradewire_server.api.admission import Admission, auth_error
from tradewire_server.api.call import Call
from tradewire_server.api.encode import (
    balance_messages,
    order_message,
    position_messages,
    timestamp,
)
from tradewire_server.api.errors import ApiError, make_error, make_status
from tradewire_server.api.venue import Venue
from tradewire_server.api.wire import embed
from tradewire_server.auth.errors import AuthError
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.feeds import FeedChunk, FeedKind, split, wrap
from tradewire_server.streams.inbox import CaughtUp, Closed, OutOfRange, TooManySubscriptions
from tradewire_server.streams.market_subscription import MarketSubscription
from tradewire_server.streams.subscription import Item, Overflow, Pushed, Subscription

BATCH, SNAPSHOT, CAUGHT_UP, HEARTBEAT, CLOSING = 1, 2, 3, 4, 5
LIFETIME_NS = 24 * 3600 * 10**9
CHECK_NS = 10**9
STALLED_S = 10.0
# Longest time that one message of market data may take to be written.
UNREAD_S = 10.0
FRAME_BYTES_MAX = 1 << 20
PAGE_BYTES = 64 << 10


class StreamEnd:
    """How streams learn that they must end: their credential, their age."""

    def __init__(self, admission: Admission, call: Call) -> None:
        self._admission = admission
        self._call = call
        self._ends_ns = admission.clock_ns() + LIFETIME_NS

    @contextlib.contextmanager
    def watching(self, close: Callable[[Reason], None]) -> Iterator[None]:
        """Close the stream at once when its key is revoked or its session ends."""
        if self._call.caller is None:
            yield
            return
        withdraw = self._admission.authenticator.watch(
            self._call.caller, lambda: close(Reason.CREDENTIAL_ENDED)
        )
        try:
            yield
        finally:
            withdraw()

    def status(self) -> status_pb2.Status | None:
        """Return why the stream must end now, None if it need not."""
        now_ns = self._admission.clock_ns()
        if now_ns >= self._ends_ns:
            return make_status(Reason.STREAM_LIFETIME, "the stream is 24 hours old")
        if self._call.caller is not None:
            try:
                self._admission.authenticator.recheck(self._call.caller, now_ns)
            except AuthError as error:
                return auth_error(error).status
        return None


def nothing() -> None:
    """Do nothing."""


@contextlib.contextmanager
def abandoned_when_stalled(
    subscription: Subscription | MarketSubscription, *, on_end: Callable[[], None] = nothing
) -> Iterator[None]:
    """End the call some time after its subscription, if the client does not even read that.

    `on_end` is called at the end of the subscription, whether the client reads or not.

    A write to a client that reads nothing never returns, so the stream would never come to its last
    message.
    """
    task = asyncio.current_task()
    assert task is not None, "a stream is served by a task"
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def ended() -> None:
        timers.append(loop.call_later(STALLED_S, task.cancel))
        on_end()

    subscription.on_end(ended)
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


@contextlib.contextmanager
def closed_when_unread(subscription: MarketSubscription) -> Iterator[None]:
    """Close a subscription of which a message cannot be written for too long.

    What waits for it is conflated, so it would never be closed for being too much.
    """
    close = functools.partial(subscription.close, Reason.SLOW_CONSUMER, at_once=True)
    timer = asyncio.get_running_loop().call_later(UNREAD_S, close)
    try:
        yield
    finally:
        timer.cancel()


CLOSING_TEXTS = {
    Reason.CREDENTIAL_ENDED: "the key was revoked or the session ended",
    Reason.SERVER_DRAINING: "the server is shutting down",
    Reason.SLOW_CONSUMER: "the stream was not read fast enough",
}


def closing(status: status_pb2.Status, resume_after: int) -> bytes:
    """Return the last message of a stream."""
    message = stream_pb2.Closing(status=status, resume_after=resume_after)
    return embed(CLOSING, message.SerializeToString())


def closing_for(reason: object, resume_after: int) -> bytes:
    """Return the last message of a stream that was closed from outside."""
    if isinstance(reason, OutOfRange):
        return closing(out_of_range(reason).status, resume_after)
    if isinstance(reason, status_pb2.Status):
        return closing(reason, resume_after)
    assert isinstance(reason, Reason), f"{reason!r} does not say why a stream ends"
    return closing(make_status(reason, CLOSING_TEXTS[reason]), resume_after)


def caught_up(venue: Venue, sequence: int) -> bytes:
    """Return the message that ends the replay."""
    message = stream_pb2.CaughtUp(as_of_sequence=sequence, journal_id=venue.journal_id)
    return embed(CAUGHT_UP, message.SerializeToString())


def heartbeat(venue: Venue, sequence: int) -> bytes:
    """Return the message of a quiet stream."""
    message = stream_pb2.Heartbeat(time=timestamp(venue.clock_ns()), as_of_sequence=sequence)
    return embed(HEARTBEAT, message.SerializeToString())


def out_of_range(error: OutOfRange, *, field: str = "after_sequence") -> Any:
    """Return the error of a number that is not there."""
    return make_error(
        Reason.SEQUENCE_OUT_OF_RANGE,
        f"{field} must be between {error.first - 1} and {error.last}",
        field=field,
        metadata={"first_available": str(error.first), "last_available": str(error.last)},
    )


async def open_feed(
    venue: Venue,
    kind: FeedKind,
    account: str,
    *,
    after: int | None,
    snapshot: bool,
    entries: bool = True,
) -> tuple[Subscription, list[bytes]]:
    """Return a subscription and the messages that come before it; without `entries`, to what is
    pushed into it alone.

    Raises ApiError when it cannot begin there.
    """
    first: list[bytes] = []
    if not entries and (snapshot or after is not None):
        raise make_error(
            Reason.FIELDS_CONFLICT,
            "results_only is for a stream without executions: neither snapshot nor after_sequence",
            field="results_only",
        )
    if snapshot:
        if after is not None:
            raise make_error(
                Reason.FIELDS_CONFLICT, "snapshot is not for a resumed stream", field="snapshot"
            )
        message = account_snapshot(venue, account)
        await venue.sequencer.settled()
        first.append(embed(SNAPSHOT, message.SerializeToString()))
        executions = kind is FeedKind.EXECUTIONS
        after = message.as_of_sequence if executions else message.as_of_ledger_sequence
    try:
        return venue.hub.subscribe(kind, account, after, owner=account, entries=entries), first
    except OutOfRange as error:
        raise out_of_range(error) from error
    except TooManySubscriptions as error:
        raise stream_limit(error, scope="account") from error


def stream_limit(error: TooManySubscriptions, *, scope: str) -> ApiError:
    """Return the error of one stream too many: of the caller's own ones, or of all at the venue."""
    if not error.of_owner:
        return make_error(Reason.OVERLOADED, str(error))
    metadata = {"scope": scope, "limit": str(error.limit)}
    text = f"{error}, of all keys together; close one that is not needed"
    return make_error(Reason.STREAM_LIMIT, text, metadata=metadata)


def feed_page(
    venue: Venue, kind: FeedKind, key: str, *, after: int, size: int
) -> tuple[bytes, int]:
    """Return up to `size` entries after a number as the field of a response, and the last number
    there is.

    Reads the journal: to be called in a thread. Raises ApiError when nothing begins there.
    """
    first, last = venue.journal.feed_range(kind, key)
    if not first - 1 <= after <= last:
        field = "after_trade_id" if kind is FeedKind.TRADES else "after_sequence"
        raise out_of_range(OutOfRange(first, last), field=field)
    entries: list[bytes] = []
    position = after
    while len(entries) < size and position < last:
        chunks = venue.journal.read_feed(kind, key, after=position, max_bytes=PAGE_BYTES)
        if not chunks:
            break
        for chunk in chunks:
            entries += split(chunk.data)
        position = chunks[-1].last
    return b"".join(map(wrap, entries[:size])), last


def account_snapshot(venue: Venue, name: str) -> order_service_pb2.AccountSnapshot:
    """Return an account as it is; to be shown after `settled`."""
    account = venue.account(name)
    return order_service_pb2.AccountSnapshot(
        orders=[order_message(account.orders[order_id]) for order_id in sorted(account.orders)],
        balances=balance_messages(venue.state, account),
        positions=position_messages(venue.state, account),
        as_of_sequence=account.sequence,
        as_of_ledger_sequence=account.ledger_sequence,
        journal_id=venue.journal_id,
    )


async def feed_messages(
    venue: Venue,
    subscription: Subscription,
    end: StreamEnd,
    *,
    before: Iterable[bytes] = (),
    trailer: Callable[[], bytes] = bytes,
    on_end: Callable[[], None] = nothing,
) -> AsyncIterator[bytes]:
    """Yield the messages of a stream until it ends, those `before` it first. `trailer` is appended
    to each batch; `on_end` is called when nothing more will come, also while the client reads
    nothing.
    """
    position = subscription.resume_after
    check_ns = 0
    with (
        end.watching(lambda reason: subscription.close(reason, at_once=True)),
        abandoned_when_stalled(subscription, on_end=on_end),
    ):
        for message in before:
            yield message
        while True:
            items = await subscription.take(venue.heartbeat_s)
            now_ns = venue.clock_ns()
            if now_ns >= check_ns:
                check_ns = now_ns + CHECK_NS
                status = end.status()
                if status is not None:
                    yield closing(status, position)
                    return
            if not items:
                yield heartbeat(venue, position)
            for run in _runs(items):
                last = run[-1]
                if isinstance(last, FeedChunk | Pushed):
                    executions, results, position = _join(run, position)
                    yield embed(BATCH, executions + results + trailer())
                elif isinstance(last, CaughtUp):
                    position = last.as_of
                    yield caught_up(venue, position)
                elif isinstance(last, Overflow):
                    yield closing_for(Reason.SLOW_CONSUMER, last.resume_after)
                    return
                elif isinstance(last, Closed):
                    if last.reason is not None:
                        yield closing_for(last.reason, last.resume_after)
                    return


def _runs(items: list[Item]) -> Iterator[list[Item]]:
    """Divide items into runs of which each becomes one message: entries together, marks alone."""
    run: list[Item] = []
    size = 0
    for item in items:
        if isinstance(item, FeedChunk | Pushed):
            length = len(item.data) if isinstance(item, FeedChunk) else item.size
            if run and size + length > FRAME_BYTES_MAX:
                yield run
                run, size = [], 0
            run.append(item)
            size += length
            continue
        if run:
            yield run
            run, size = [], 0
        yield [item]
    if run:
        yield run


def _join(run: list[Item], position: int) -> tuple[bytes, bytes, int]:
    """Return the entries and the pushed bytes of a run, and the last entry's number."""
    entries, pushed = [], []
    for item in run:
        if isinstance(item, FeedChunk):
            entries.append(item.data)
            position = item.last
        else:
            assert isinstance(item, Pushed)
            pushed.append(item.content)
    return b"".join(entries), b"".join(pushed), position
