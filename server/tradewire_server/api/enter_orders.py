"""EnterOrders: frames of commands in; results and the account's executions out, in journal order.
 Theory of operation. A reader task takes frames from the client, admits each command as its unary
method would be, and enters the frame into the sequencer on the stream's own lane, so that commands
reach the engine in the order in which they were sent. A command that is not admitted goes the same
way, as a refusal, so that results stay in order. The writer is the feed subscription of the
account's executions: the lane's results are pushed into it after the batch was published, hence a
result never comes before the executions it refers to.
 Bounds. At most `IN_FLIGHT_MAX` commands of a stream wait for their results; then the reader stops
reading and the client's flow control does the rest. A client that does not read is told and
dropped, as on every stream.
 What it costs. Opening costs the method's weight; like a cancel it may use the reserve and is not
stopped by a ban, because it may be the only way to cancel. Each command costs what its unary method
costs, and an empty frame behind the first what opening costs, without the reserve: when there is
too little left for it, the stream ends. Refusals are free, so a frame of which nothing passed the
limits is followed by a pause in reading. Hence nobody can keep the server busy with frames.
 The end. However the stream ends (half-close, reset, kill of the client or of a gateway,
revocation, drain), with `cancel_on_disconnect` the connection's own working orders are canceled. A
client that half-closes gets the results of everything that it sent before the stream ends.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import grpc.aio
from google.rpc import status_pb2
from tradewire.v1 import order_service_pb2, stream_pb2

from tradewire_server.api.admission import Admission, auth_error
from tradewire_server.api.call import Call, current_call, own_account
from tradewire_server.api.commands import REFUSED_AT_EDGE, Intake, result_bytes
from tradewire_server.api.errors import ApiError, make_error, make_status
from tradewire_server.api.streaming import StreamEnd, feed_messages, open_feed
from tradewire_server.api.venue import Venue
from tradewire_server.api.wire import Malformed, Preencoded, embed
from tradewire_server.auth.errors import AuthError
from tradewire_server.engine.commands import CancelConnection
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.feeds import FeedKind
from tradewire_server.sequencer import (
    Lane,
    NotServing,
    Outcome,
    Overloaded,
    Submission,
)
from tradewire_server.streams.inbox import SubscriptionEnded
from tradewire_server.streams.subscription import Subscription

logger = logging.getLogger("tradewire.enter_orders")

COMMANDS_MAX = 256
IN_FLIGHT_MAX = 4_096
FIRST_FRAME_S = 10.0
# Longest pause behind a frame of which nothing passed the limits.
PAUSE_MAX_MS = 250

RESULTS, RATE_LIMIT = 2, 3


class OrderEntry:
    """Makes the streams."""

    def __init__(self, venue: Venue, admission: Admission) -> None:
        self._venue = venue
        self._admission = admission

    async def stream(
        self,
        requests: AsyncIterator[order_service_pb2.EnterOrdersRequest],
    ) -> AsyncIterator[Preencoded]:
        """Serve one stream; see the contract."""
        call = current_call()
        try:
            # Not `wait_for`: in Python 3.11 it loses a cancellation that comes with the frame.
            async with asyncio.timeout(FIRST_FRAME_S):
                first = await anext(aiter(requests), None)
        except TimeoutError:
            text = f"no frame came within {FIRST_FRAME_S:.0f} seconds; the first may be empty"
            raise make_error(Reason.DEADLINE_PASSED, text) from None
        if first is None:
            return
        check_frame(first)
        account = own_account(first.account)
        after = first.after_sequence if first.HasField("after_sequence") else None
        subscription, before = await open_feed(
            self._venue,
            FeedKind.EXECUTIONS,
            account,
            after=after,
            snapshot=first.snapshot,
            entries=not first.results_only,
        )
        connection = _Connection(
            self._venue,
            self._admission,
            call,
            account,
            subscription,
            cancel_on_disconnect=first.cancel_on_disconnect,
        )
        reader = asyncio.create_task(connection.read(first, requests))

        def end() -> None:
            reader.cancel()
            connection.disconnected()

        try:
            async for message in feed_messages(
                self._venue,
                subscription,
                StreamEnd(self._admission, call),
                before=before,
                trailer=connection.rate_limit,
                on_end=end,
            ):
                yield message
        finally:
            end()
            subscription.release()


class _Connection:
    """One stream's state."""

    def __init__(
        self,
        venue: Venue,
        admission: Admission,
        call: Call,
        account: str,
        subscription: Subscription,
        *,
        cancel_on_disconnect: bool,
    ) -> None:
        self._venue = venue
        self._account = account
        self._subscription = subscription
        self._connection = venue.new_connection() if cancel_on_disconnect else ""
        self._method = call.method
        self._intake = Intake(admission, call, account, connection=self._connection)
        self._lane = Lane(self._deliver)
        self._in_flight = 0
        self._room = asyncio.Event()

    async def read(
        self,
        first: order_service_pb2.EnterOrdersRequest,
        requests: AsyncIterator[order_service_pb2.EnterOrdersRequest],
    ) -> None:
        """Enter the frames of the client until there are no more, then close the stream."""
        reason: status_pb2.Status | None
        try:
            await self._enter(first)
            async for frame in requests:
                check_frame(frame)
                if not frame.commands:
                    self._intake.limit(self._method)
                await self._enter(frame)
            reason = None
        except AuthError as error:
            reason = auth_error(error).status
        except ApiError as error:
            reason = error.status
        except NotServing:
            reason = make_status(Reason.NOT_SERVING, "the venue takes no commands now")
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            # The call is over, cut by its client or by its end: there is nobody to tell.
            logger.debug("the frames of %s were cut", self._account)
            reason = None
        except Exception:
            logger.exception("reading the frames of %s failed", self._account)
            reason = make_status(Reason.INTERNAL, "the server broke one of its own rules")
        # However the frames ended, those before are answered.
        await self._wait_for_room(1)
        self._subscription.close(reason)

    async def _enter(self, frame: order_service_pb2.EnterOrdersRequest) -> None:
        commands = frame.commands
        if not commands:
            return
        await self._wait_for_room(IN_FLIGHT_MAX)
        limited = self._intake.limited_count
        submissions = self._intake.submissions(
            getattr(command, kind) if kind else None
            for command in commands
            for kind in (command.WhichOneof("command"),)
        )
        limited = self._intake.limited_count - limited
        try:
            self._venue.sequencer.enter(self._lane, submissions)
        except Overloaded:
            # The refusals wait their turn behind the commands that are queued already.
            status = make_status(Reason.OVERLOADED, "the venue's queue is full")
            self._venue.sequencer.enter_always(
                self._lane,
                [
                    Submission(REFUSED_AT_EDGE, 0, s.tag._replace(status=s.tag.status or status))
                    for s in submissions
                ],
            )
        self._in_flight += len(submissions)
        if limited == len(submissions):
            await asyncio.sleep(min(self._intake.limit_state.retry_after_ms, PAUSE_MAX_MS) / 1000)

    async def _wait_for_room(self, below: int) -> None:
        while self._in_flight >= below:
            self._room.clear()
            await self._room.wait()

    # --- results ---

    def _deliver(self, results: list[tuple[Submission, Outcome]]) -> None:
        self._in_flight -= len(results)
        self._room.set()
        # Called right after publication: what the state holds now is durable.
        sequence = self._venue.account(self._account).sequence
        data = b"".join(
            [
                embed(RESULTS, result_bytes(submission.tag, outcome, sequence))
                for submission, outcome in results
                if submission.tag is not None
            ]
        )
        with contextlib.suppress(SubscriptionEnded):
            self._subscription.push(data, size=len(data))

    def rate_limit(self) -> bytes:
        """Return the state of the tightest limit as the field of a batch, none for the exempt."""
        state = self._intake.limit_state
        if state.is_exempt:
            return b""
        message = stream_pb2.RateLimit(
            limit=state.limit, remaining=state.remaining, reset_ms=state.reset_ms
        )
        return embed(RATE_LIMIT, message.SerializeToString())

    def disconnected(self) -> None:
        """Cancel the connection's orders, behind the commands that it has sent."""
        if self._connection:
            # A venue that stops before it comes to this cancels orphans when it starts again.
            self._venue.sequencer.enter_always(
                self._lane, [Submission(CancelConnection(self._connection))]
            )


def check_frame(frame: order_service_pb2.EnterOrdersRequest | Malformed) -> None:
    """Refuse a frame that is not one.

    Raises ApiError, which ends the stream.
    """
    if isinstance(frame, Malformed):
        raise make_error(Reason.MESSAGE_MALFORMED, "the frame could not be parsed")
    if len(frame.commands) > COMMANDS_MAX:
        text = f"a frame has at most {COMMANDS_MAX} commands, this one has {len(frame.commands)}"
        raise make_error(Reason.FRAME_TOO_LARGE, text, field="commands")
