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
 The end. However the stream ends (half-close, reset, kill of the client or of a gateway,
revocation, drain), with `cancel_on_disconnect` the connection's own working orders are canceled. A
client that half-closes gets the results of everything that it sent before the stream ends.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import NamedTuple

import protovalidate
from google.protobuf.message import Message
from google.rpc import status_pb2
from tradewire.v1 import order_service_pb2, stream_pb2
from tradewire_contract import Method, methods

from tradewire_server.api.admission import (
    Admission,
    auth_error,
    field_path,
    violation_error,
)
from tradewire_server.api.call import Call, current_call, current_caller, own_account
from tradewire_server.api.convert import (
    amend_command,
    cancel_all_command,
    cancel_command,
    place_command,
    time_ns,
)
from tradewire_server.api.errors import ApiError, make_error, make_status
from tradewire_server.api.streaming import StreamEnd, feed_messages, open_feed
from tradewire_server.api.venue import Venue, error_status
from tradewire_server.api.wire import Malformed, Preencoded, embed, varint, varint_field
from tradewire_server.auth.buckets import EXEMPT, LimitState
from tradewire_server.auth.limits import rate_limited
from tradewire_server.engine.commands import CancelConnection, Command, Refused
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.feeds import FeedKind
from tradewire_server.sequencer import (
    Lane,
    NotServing,
    Outcome,
    Overloaded,
    Submission,
    submission_of,
)
from tradewire_server.streams.inbox import SubscriptionEnded
from tradewire_server.streams.subscription import Subscription

logger = logging.getLogger("tradewire.enter_orders")

COMMANDS_MAX = 256
IN_FLIGHT_MAX = 4_096
FIRST_FRAME_S = 10.0

NUMBER, CLIENT_ORDER_ID, ORDER, ERROR, CANCELED_COUNT, AS_OF_SEQUENCE, PRIORITY_KEPT = range(1, 8)
RESULTS, RATE_LIMIT = 2, 3

_SERVICE = "/tradewire.v1.OrderService/"
_UNARY_NAMES = {
    "place": "PlaceOrder",
    "amend": "AmendOrder",
    "cancel": "CancelOrder",
    "cancel_all": "CancelAllOrders",
}
_MASS_CANCEL = "cancel_all"


class _Tag(NamedTuple):
    """What a result needs to know of its command; `status` when the edge refused it."""

    number: int
    kind: str
    client_order_id: str
    status: status_pb2.Status | None = None


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
            first = await asyncio.wait_for(anext(aiter(requests), None), FIRST_FRAME_S)
        except TimeoutError:
            text = f"no frame came within {FIRST_FRAME_S:.0f} seconds; the first may be empty"
            raise make_error(Reason.DEADLINE_PASSED, text) from None
        if first is None:
            return
        check_frame(first)
        account = own_account(first.account)
        after = first.after_sequence if first.HasField("after_sequence") else None
        subscription, before = await open_feed(
            self._venue, FeedKind.EXECUTIONS, account, after=after, snapshot=first.snapshot
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
        self._admission = admission
        self._call = call
        self._api_key = current_caller().key_id
        self._account = account
        self._subscription = subscription
        self._connection = venue.new_connection() if cancel_on_disconnect else ""
        self._lane = Lane(self._deliver)
        self._count = 0
        self._in_flight = 0
        self._room = asyncio.Event()
        self._limit_state = EXEMPT

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
                await self._enter(frame)
            reason = None
        except ApiError as error:
            reason = error.status
        except NotServing:
            reason = make_status(Reason.NOT_SERVING, "the venue takes no commands now")
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
        submissions = self._submissions(frame)
        try:
            self._venue.sequencer.enter(self._lane, submissions)
        except Overloaded:
            # The refusals wait their turn behind the commands that are queued already.
            status = make_status(Reason.OVERLOADED, "the venue's queue is full")
            self._venue.sequencer.enter_always(
                self._lane,
                [
                    Submission(_REFUSED_AT_EDGE, 0, s.tag._replace(status=s.tag.status or status))
                    for s in submissions
                ],
            )
        self._in_flight += len(submissions)

    async def _wait_for_room(self, below: int) -> None:
        while self._in_flight >= below:
            self._room.clear()
            await self._room.wait()

    # --- commands ---

    def _submissions(self, frame: order_service_pb2.EnterOrdersRequest) -> list[Submission]:
        violations = violations_by_command(frame)
        exempt = self._admission.limiter.is_exempt(self._account)
        return [
            self._submission(command, violations.get(index), exempt)
            for index, command in enumerate(frame.commands)
        ]

    def _submission(
        self,
        command: order_service_pb2.OrderCommand,
        violation: status_pb2.Status | None,
        exempt: bool,
    ) -> Submission:
        self._count += 1
        kind = command.WhichOneof("command")
        if kind is None:
            unset = violation_error([("command", "one of its fields must be set")]).status
            return Submission(_REFUSED_AT_EDGE, 0, _Tag(self._count, "", "", unset))
        request = getattr(command, kind)
        client_order_id = "" if kind == _MASS_CANCEL else request.client_order_id
        status = violation if exempt else (self._limited(kind) or violation)
        if status is not None:
            tag = _Tag(self._count, kind, client_order_id, status)
            return Submission(_REFUSED_AT_EDGE, 0, tag)
        tag = _Tag(self._count, kind, client_order_id)
        if request.account not in ("", self._account):
            status = _other_account(request.account)
            return Submission(_REFUSED_AT_EDGE, 0, tag._replace(status=status))
        try:
            valid_until_ns = time_ns(request, "valid_until")
            return submission_of(
                self._command(kind, request), valid_until_ns, tag, api_key=self._api_key
            )
        except ApiError as error:
            return Submission(_REFUSED_AT_EDGE, 0, tag._replace(status=error.status))

    def _command(self, kind: str, request: Message) -> Command:
        if kind == "place":
            assert isinstance(request, order_service_pb2.PlaceOrderRequest)
            return place_command(request, self._account, self._connection)
        if kind == "cancel":
            assert isinstance(request, order_service_pb2.CancelOrderRequest)
            return cancel_command(request, self._account)
        if kind == "amend":
            assert isinstance(request, order_service_pb2.AmendOrderRequest)
            return amend_command(request, self._account)
        assert isinstance(request, order_service_pb2.CancelAllOrdersRequest)
        return cancel_all_command(request, self._account)

    def _limited(self, kind: str) -> status_pb2.Status | None:
        """Take what the command costs, as its unary method would; return the refusal if it is too
        much.
        """
        method = _unary_methods()[kind]
        self._limit_state = state = self._admission.limit(self._call, method)
        if state.allowed:
            return None
        return auth_error(rate_limited(state, weight=method.weight)).status

    # --- results ---

    def _deliver(self, results: list[tuple[Submission, Outcome]]) -> None:
        self._in_flight -= len(results)
        self._room.set()
        # Called right after publication: what the state holds now is durable.
        sequence = self._venue.account(self._account).sequence
        data = b"".join(
            embed(RESULTS, result_bytes(submission.tag, outcome, sequence))
            for submission, outcome in results
            if submission.tag is not None
        )
        with contextlib.suppress(SubscriptionEnded):
            self._subscription.push(data, size=len(data))

    def rate_limit(self) -> bytes:
        """Return the state of the tightest limit as the field of a batch, none for the exempt."""
        state: LimitState = self._limit_state
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


_REFUSED_AT_EDGE = Refused(Reason.UNSPECIFIED, "")


def _unary_methods() -> dict[str, Method]:
    return {kind: methods()[_SERVICE + name] for kind, name in _UNARY_NAMES.items()}


def _other_account(account: str) -> status_pb2.Status:
    text = f"the stream is for another account than {account}"
    return make_status(Reason.ACCOUNT_NOT_FOUND, text, fields=(("account", text),))


def check_frame(frame: order_service_pb2.EnterOrdersRequest | Malformed) -> None:
    """Refuse a frame that is not one.

    Raises ApiError, which ends the stream.
    """
    if isinstance(frame, Malformed):
        raise make_error(Reason.MESSAGE_MALFORMED, "the frame could not be parsed")
    if len(frame.commands) > COMMANDS_MAX:
        text = f"a frame has at most {COMMANDS_MAX} commands, this one has {len(frame.commands)}"
        raise make_error(Reason.FRAME_TOO_LARGE, text, field="commands")


def violations_by_command(
    frame: order_service_pb2.EnterOrdersRequest,
) -> dict[int, status_pb2.Status]:
    """Check a whole frame at once and return the error of each bad command by its index."""
    fields: dict[int, list[tuple[str, str]]] = {}
    for violation in protovalidate.collect_violations(frame):
        path = violation.proto.field
        subscript = path.elements[0].subscript if path is not None else None
        assert subscript is not None, "every rule of a frame is one of its commands"
        # Without `commands[i].place.`: the same path as in the unary method.
        field = field_path(violation, skip=2)
        fields.setdefault(int(subscript.value), []).append((field, violation.proto.message))
    return {index: violation_error(found).status for index, found in fields.items()}


def result_bytes(tag: _Tag, outcome: Outcome, sequence: int) -> bytes:
    """Return a serialised CommandResult."""
    head = varint_field(NUMBER, tag.number)
    if tag.client_order_id:
        head += embed(CLIENT_ORDER_ID, tag.client_order_id.encode())
    status = tag.status or error_status(outcome)
    if status is not None:
        if not isinstance(outcome, Refused):
            sequence = outcome.as_of_sequence
        return (
            head + embed(ERROR, status.SerializeToString()) + varint_field(AS_OF_SEQUENCE, sequence)
        )
    assert not isinstance(outcome, Refused)
    if tag.kind == _MASS_CANCEL:
        # A oneof member is present even when it is 0.
        body = bytes((CANCELED_COUNT << 3,)) + varint(outcome.canceled_count)
    else:
        body = embed(ORDER, outcome.order)
    return (
        head
        + body
        + varint_field(AS_OF_SEQUENCE, outcome.as_of_sequence)
        + varint_field(PRIORITY_KEPT, outcome.priority_kept)
    )
