"""The catalogue of reasons with the codes that each has on every protocol."""

from functools import cache
from typing import NamedTuple

from google.rpc import code_pb2
from tradewire.v1 import options_pb2, reason_pb2

# By the mapping in google/rpc/code.proto.
HTTP_STATUS = {
    code_pb2.OK: 200,
    code_pb2.CANCELLED: 499,
    code_pb2.UNKNOWN: 500,
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.DEADLINE_EXCEEDED: 504,
    code_pb2.NOT_FOUND: 404,
    code_pb2.ALREADY_EXISTS: 409,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.RESOURCE_EXHAUSTED: 429,
    code_pb2.FAILED_PRECONDITION: 400,
    code_pb2.ABORTED: 409,
    code_pb2.OUT_OF_RANGE: 400,
    code_pb2.UNIMPLEMENTED: 501,
    code_pb2.INTERNAL: 500,
    code_pb2.UNAVAILABLE: 503,
    code_pb2.DATA_LOSS: 500,
    code_pb2.UNAUTHENTICATED: 401,
}


class ReasonEntry(NamedTuple):
    """A reason. `outcome` is refused, rejected, order_event, stream_closed or unknown; `code` a
    google.rpc.Code; `http_status` what REST answers.
    """

    number: int
    name: str
    outcome: str
    code: int
    order_reject_reason: int | None
    cancel_reject_reason: int | None
    business_reject_reason: int | None
    retryable: bool
    advice: str
    http_status: int
    restatement_reason: int | None = None


@cache
def reasons() -> dict[int, ReasonEntry]:
    """Return every reason by its number; 0, no reason, is not one."""
    return {
        value.number: _read(
            value.number, value.name, value.GetOptions().Extensions[options_pb2.reason]
        )
        for value in reason_pb2.Reason.DESCRIPTOR.values
        if value.number
    }


def _read(number: int, name: str, rule: options_pb2.ReasonRule) -> ReasonEntry:
    def optional(field: str) -> int | None:
        return getattr(rule, field) if rule.HasField(field) else None  # type: ignore[arg-type]

    return ReasonEntry(
        number=number,
        name=name.removeprefix("REASON_"),
        outcome=options_pb2.Outcome.Name(rule.outcome).removeprefix("OUTCOME_").lower(),
        code=rule.code,
        order_reject_reason=optional("order_reject_reason"),
        cancel_reject_reason=optional("cancel_reject_reason"),
        business_reject_reason=optional("business_reject_reason"),
        retryable=rule.retryable,
        advice=rule.advice,
        http_status=rule.http_status or HTTP_STATUS[rule.code],
        restatement_reason=optional("restatement_reason"),
    )
