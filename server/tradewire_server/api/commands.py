"""Commands that come several at a time, in a frame of EnterOrders or in a batch: each is limited,
validated and converted as its unary method would do it, and a bad one becomes its own result.

When a limit refuses a command, it refuses those behind it that came with it as well: none overtakes
another, and together they are one refusal towards a ban, which is for who goes on after refusals.
What may use the reserve is not held back by what may not.
"""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor
from google.rpc import status_pb2
from tradewire.v1 import order_service_pb2
from tradewire_contract import Method, methods

from tradewire_server.api.admission import Admission, auth_error, validate, violation_error
from tradewire_server.api.call import Call
from tradewire_server.api.convert import (
    amend_command,
    cancel_all_command,
    cancel_command,
    place_command,
    time_ns,
)
from tradewire_server.api.errors import ApiError, make_error
from tradewire_server.api.venue import earliest, error_status
from tradewire_server.api.wire import embed, tag_of, varint, varint_field
from tradewire_server.auth.buckets import EXEMPT, LimitState
from tradewire_server.auth.errors import AuthError
from tradewire_server.auth.limits import rate_limited
from tradewire_server.engine.commands import Command, Refused
from tradewire_server.engine.events import make
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.sequencer import Outcome, Submission, submission_of

NUMBER, CLIENT_ORDER_ID, ORDER, ERROR, CANCELED_COUNT, AS_OF_SEQUENCE, PRIORITY_KEPT = range(1, 8)

# Nearly every result has these.
_NUMBER_TAG, _SEQUENCE_TAG = varint(NUMBER << 3), varint(AS_OF_SEQUENCE << 3)
_CLIENT_ORDER_ID_TAG, _ORDER_TAG = tag_of(CLIENT_ORDER_ID), tag_of(ORDER)
_KEPT = varint_field(PRIORITY_KEPT, 1)

_PLACE = order_service_pb2.PlaceOrderRequest.DESCRIPTOR

REFUSED_AT_EDGE = Refused(Reason.UNSPECIFIED, "")

Request = (
    order_service_pb2.PlaceOrderRequest
    | order_service_pb2.AmendOrderRequest
    | order_service_pb2.CancelOrderRequest
    | order_service_pb2.CancelAllOrdersRequest
)


class Tag(NamedTuple):
    """What a result needs to know of its command; `status` when the edge refused it."""

    number: int
    client_order_id: str
    status: status_pb2.Status | None = None


class Intake:
    """Admits the commands of one sender for one account, in their order.

    `connection` is set for cancel on disconnect; no command is valid beyond `valid_until_ns`, if
    that is not 0. `limit_state` is the state of the tightest limit after the last command, and
    `limited_count` counts the commands that a limit refused.
    """

    def __init__(
        self,
        admission: Admission,
        call: Call,
        account: str,
        *,
        connection: str = "",
        valid_until_ns: int = 0,
    ) -> None:
        self._admission = admission
        self._call = call
        assert call.caller is not None, "a method of orders has a scope"
        self._api_key = call.caller.key_id
        self._account = account
        self._connection = connection
        self._valid_until_ns = valid_until_ns
        self._count = 0
        self.limit_state: LimitState = EXEMPT
        self.limited_count = 0

    def submissions(self, requests: Iterable[Request | None]) -> list[Submission]:
        """Return commands that came together as they enter the sequencer, refusals in their place;
        None is a command that is none.
        """
        if self._admission.limiter.is_exempt(self._account):
            return [self._submission(request, self._next_tag(request)) for request in requests]
        # By what it was that a limit refused: any one order is like another.
        limited: dict[str, status_pb2.Status] = {}
        submissions = []
        for request in requests:
            method = _method_of(_PLACE if request is None else request.DESCRIPTOR)
            kind = method.path if method.reduces_risk else _PLACE.full_name
            tag = self._next_tag(request)
            status = limited.get(kind)
            if status is not None:
                self.limited_count += 1
            else:
                try:
                    # What is no command costs what an order costs.
                    self.limit(method)
                except AuthError as error:
                    status = limited[kind] = auth_error(error).status
            if status is not None:
                submissions.append(Submission(REFUSED_AT_EDGE, 0, tag._replace(status=status)))
            else:
                submissions.append(self._submission(request, tag))
        return submissions

    def _submission(self, request: Request | None, tag: Tag) -> Submission:
        """Return a command that no limit refused."""
        try:
            if request is None:
                raise violation_error([("command", "one of its fields must be set")])
            validate(request)
            account = request.account
            if account and account != self._account:
                raise _other_account(account)
            until_ns, is_own = earliest(time_ns(request, "valid_until"), self._valid_until_ns)
            return submission_of(
                self._command(request),
                until_ns,
                tag,
                api_key=self._api_key,
                is_deadline_own=is_own,
            )
        except ApiError as error:
            return Submission(REFUSED_AT_EDGE, 0, tag._replace(status=error.status))

    def _next_tag(self, request: Request | None) -> Tag:
        self._count += 1
        if request is None or isinstance(request, order_service_pb2.CancelAllOrdersRequest):
            return Tag(self._count, "")
        return make(Tag, (self._count, request.client_order_id, None))

    def _command(self, request: Request) -> Command:
        if isinstance(request, order_service_pb2.PlaceOrderRequest):
            return place_command(request, self._account, self._connection)
        if isinstance(request, order_service_pb2.CancelOrderRequest):
            return cancel_command(request, self._account)
        if isinstance(request, order_service_pb2.AmendOrderRequest):
            return amend_command(request, self._account)
        return cancel_all_command(request, self._account)

    def limit(self, method: Method) -> None:
        """Take what one call of a method costs.

        Raises AuthError when it is too much.
        """
        self.limit_state = state = self._admission.limit(
            self._call, method, reduces_risk=method.reduces_risk
        )
        if not state.allowed:
            self.limited_count += 1
            raise rate_limited(state, weight=method.weight)


def _method_of(request: Descriptor) -> Method:
    return _unary_methods()[request.full_name]


@cache
def _unary_methods() -> dict[str, Method]:
    """Return the methods of orders by their request."""
    return {
        method.request.full_name: method
        for method in methods().values()
        if method.service == "tradewire.v1.OrderService" and not method.client_streaming
    }


def _other_account(account: str) -> ApiError:
    text = f"the commands that this one came with are for another account than {account}"
    return make_error(Reason.ACCOUNT_NOT_FOUND, text, field="account")


def wait_of(outcome: Outcome) -> int:
    """Return for how many milliseconds the refusal of a command says to wait, else 0."""
    if not isinstance(outcome, Refused):
        return 0
    return int(dict(outcome.metadata).get("retry_after_ms", "0"))


def result_bytes(tag: Tag, outcome: Outcome, sequence: int) -> bytes:
    """Return a serialised CommandResult."""
    number, client_order_id, status = tag
    data = _NUMBER_TAG + varint(number)
    if client_order_id:
        text = client_order_id.encode()
        data += _CLIENT_ORDER_ID_TAG + varint(len(text)) + text
    if status is None:
        status = error_status(outcome)
    if status is not None:
        if not isinstance(outcome, Refused):
            sequence = outcome.as_of_sequence
        return (
            data + embed(ERROR, status.SerializeToString()) + varint_field(AS_OF_SEQUENCE, sequence)
        )
    assert not isinstance(outcome, Refused)
    order, sequence = outcome.order, outcome.as_of_sequence
    if order:
        data += _ORDER_TAG + varint(len(order)) + order
    else:
        # Of a mass cancel. A oneof member is present even when it is 0.
        data += varint(CANCELED_COUNT << 3) + varint(outcome.canceled_count)
    if sequence:
        data += _SEQUENCE_TAG + varint(sequence)
    return data + _KEPT if outcome.priority_kept else data
