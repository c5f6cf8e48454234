"""The catalogue of reasons with the codes that each has on every protocol."""

from functools import cache
from typing import NamedTuple

from tradewire.v1 import options_pb2, reason_pb2


class ReasonEntry(NamedTuple):
    """A reason. `outcome` is refused, rejected, order_event or stream_closed; `code` a
    google.rpc.Code.
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
    )
