"""From errors of the catalogue to the messages that say them on FIX.

Which message it is follows from the contract: the last of the method's FIX answers carries its
refusals. A BusinessMessageReject(j) says what the others have no words for: messages that are no
request, and requests of which nobody knows what became. A new order of unknown fate must not be
reported as refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from google.rpc import status_pb2
from tradewire.v1 import order_pb2, stream_pb2
from tradewire_contract.fix.messages import fix_contract
from tradewire_contract.fix.placement import enum_values
from tradewire_contract.fix.rules import NO_ORDER, REJECT_CODES, TEXT_TAGS, Use

from tradewire_gateway.fix.codec import encode_fields
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.translate.errors import Explained, explain
from tradewire_gateway.fix.translate.replies import LIMIT, Answer, position_head
from tradewire_gateway.fix.translate.reports import REJECTED, echo, unknown_order
from tradewire_gateway.fix.translate.requests import METHODS
from tradewire_gateway.fix.values import format_utc_timestamp

BUSINESS_REJECT: Final = "j"
_ANSWERS: Final = {
    msg_type: found[-1].fix_reply[-1] for msg_type, found in METHODS.items() if found
}
_STATUS: Final = {
    number: value.value for number, value in enum_values(order_pb2.OrderStatus.DESCRIPTOR).items()
}
_CANCEL_TO: Final = {"F": "1", "G": "2"}
_OTHER: Final = "99"


def _echoed(msg_type: str) -> tuple[int, ...]:
    """Return the fields of the contract that a request and a report about it both have."""
    contract = fix_contract()
    report = {member.tag for member in contract.messages["8"].members}
    return tuple(
        member.tag
        for member in contract.messages[msg_type].members
        if member.elements and member.tag in report
    )


_ORDER_FIELDS: Final = _echoed("D")
# The client's own id of a request, for BusinessRejectRefID(379).
_IDS: Final = {
    msg_type: next(
        (
            member.tag
            for member in fix_contract().messages[msg_type].members
            if member.use is Use.ECHOED
        ),
        11,
    )
    for msg_type in METHODS
} | {"H": 11, "D": 11, "F": 11, "G": 11}


class _Case(NamedTuple):
    """A refusal and all that may be said about it."""

    request: Message
    error: Explained
    now_ns: int
    identity: str
    order: order_pb2.Order | None


def refusal(
    request: Message,
    status: status_pb2.Status,
    *,
    now_ns: int,
    identity: str,
    order: order_pb2.Order | None = None,
    limit: stream_pb2.RateLimit | None = None,
) -> Answer:
    """Return the message that answers a request with an error.

    Args:
        request: the message that was refused.
        status: the error.
        now_ns: the time, for TransactTime(60).
        identity: a text that no other answer has, for ExecID(17) and its kin.
        order: the order that was to be canceled or amended, where it is known.
        limit: the state of the rate limit, where it is known.
    """
    case = _Case(request, explain(status, request.type), now_ns, identity, order)
    answer = _ANSWERS.get(request.type, BUSINESS_REJECT)
    if case.error.outcome == "unknown":
        answer = BUSINESS_REJECT
    fields = _WRITERS[answer](case)
    if fields is None:
        answer, fields = BUSINESS_REJECT, _business_reject(case)
    fields[20002] = case.error.reason.name
    fields[TEXT_TAGS.get(answer, 58)] = case.error.text
    if case.error.retry_after_ms:
        fields[20017] = case.error.retry_after_ms
    if limit is not None and answer in _LIMITED:
        LIMIT.write(limit, fields)
    return Answer(answer, encode_fields(fields))


def _order_report(case: _Case) -> Fields:
    request, error = case.request, case.error
    code = error.reason.order_reject_reason
    if request.type == "D":
        fields = _refused_order(case)
    else:
        fields = unknown_order(request)
        if request.type == "AF":
            fields |= {911: "0", 912: "Y"}
    fields[103] = _OTHER if code is None else str(code)
    return fields


def _refused_order(case: _Case) -> Fields:
    """Return a report about an order that never was, with the fields that the client sent."""
    fields = Fields({37: case.error.order_id or NO_ORDER})
    if case.error.sequence and case.error.outcome == "rejected":
        fields[20001] = case.error.sequence
    echo(case.request, _ORDER_FIELDS, fields)
    fields |= {17: case.identity, 150: REJECTED, 39: REJECTED, 151: "0", 14: "0", 6: "0"}
    fields[60] = format_utc_timestamp(case.now_ns, 6)
    return fields


def _cancel_reject(case: _Case) -> Fields:
    request, order = case.request, case.order
    code = case.error.reason.cancel_reject_reason
    named = NO_ORDER if case.error.reason.name == "ORDER_NOT_FOUND" else request.body.text(37)
    fields = Fields({37: order.order_id if order is not None else named or NO_ORDER})
    fields[11] = request.body.text(11) or NO_ORDER
    known = order.client_order_id if order is not None else ""
    fields[41] = request.body.text(41) or known or NO_ORDER
    fields[39] = _STATUS.get(order.status, REJECTED) if order is not None else REJECTED
    echo(request, (1,), fields)
    fields[60] = format_utc_timestamp(case.now_ns, 6)
    fields[434] = _CANCEL_TO[request.type]
    fields[102] = _OTHER if code is None else str(code)
    return fields


def _mass_cancel_reject(case: _Case) -> Fields | None:
    fields = Fields()
    echo(case.request, (11, 530, 55, 54), fields)
    fields |= {37: NO_ORDER, 531: "0"}
    fields[60] = format_utc_timestamp(case.now_ns, 6)
    return _with_code("r", case, fields)


def _list_reject(case: _Case) -> Fields | None:
    fields = Fields()
    echo(case.request, (320,), fields)
    fields |= {322: case.identity, 893: "Y"}
    return _with_code("y", case, fields)


def _status_reject(case: _Case) -> Fields | None:
    """Return a SecurityStatus(f) for a symbol that there is none of; None for other errors."""
    fields = Fields()
    echo(case.request, (324, 55), fields)
    fields = _with_code("f", case, fields)
    return fields if 326 in fields else None


def _market_data_reject(case: _Case) -> Fields | None:
    fields = Fields()
    echo(case.request, (262,), fields)
    return _with_code("Y", case, fields)


def _user_reject(case: _Case) -> Fields | None:
    fields = Fields()
    echo(case.request, (923, 553), fields)
    return _with_code("BF", case, fields)


def _position_reject(case: _Case) -> Fields | None:
    fields = position_head(case.request, now_ns=case.now_ns, identity=case.identity)
    fields[727] = "0"
    return _with_code("AP", case, fields)


def _with_code(answer: str, case: _Case, fields: Fields) -> Fields:
    """Set the code that an answer has for the error, if it has one."""
    codes = REJECT_CODES[answer]
    code = case.error.code
    if code not in _KNOWN_CODES[answer]:
        business_reason = case.error.reason.business_reject_reason or 0
        code = codes.by_business_reason.get(business_reason, codes.otherwise)
    if code:
        fields[codes.tag] = code
    return fields


def _business_reject(case: _Case) -> Fields:
    fields, reason = Fields(), case.error.reason.business_reject_reason
    number = case.request.header.get(34)
    if number is not None:
        fields[45] = number
    fields[372] = case.request.type
    reference = case.request.body.get(_IDS.get(case.request.type, 11))
    if reference is not None:
        fields[379] = reference
    fields[380] = str(reason or 0)
    return fields


_WRITERS: Final[dict[str, Callable[[_Case], Fields | None]]] = {
    "8": _order_report,
    "9": _cancel_reject,
    "r": _mass_cancel_reject,
    "y": _list_reject,
    "f": _status_reject,
    "Y": _market_data_reject,
    "BF": _user_reject,
    "AP": _position_reject,
    BUSINESS_REJECT: _business_reject,
}
_KNOWN_CODES: Final = {
    answer: {value.value for value in fix_contract().fields[codes.tag].values}
    for answer, codes in REJECT_CODES.items()
}
_LIMITED: Final = frozenset(
    msg_type
    for msg_type, message in fix_contract().messages.items()
    if "RateLimit" in message.rule.sources
)
