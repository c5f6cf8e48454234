"""The one place where a reason becomes a google.rpc.Status.
 Every error is a Status with one ErrorInfo (reason, domain, metadata) and, where fields are wrong,
one BadRequest. The code, `outcome`, `retryable` and the advice come from the contract's catalogue.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from tradewire_contract import reasons

from tradewire_server.engine.commands import Refused
from tradewire_server.engine.vocabulary import Reason

DOMAIN = "tradewire"


class ApiError(Exception):
    """A call fails with this status."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


def make_status(
    reason: Reason,
    text: str,
    *,
    metadata: Mapping[str, str] | None = None,
    fields: Iterable[Sequence[str]] = (),
    outcome: str = "",
    is_final: bool = False,
) -> status_pb2.Status:
    """Return the status of a reason; `fields` are (field path, what is wrong with it) and, if one
    has an id, the rule that was broken.

    The outcome is the catalogue's, unless it is given. An error that `is_final` is not retryable,
    whatever others of its reason are.
    """
    entry = reasons()[reason]
    info = error_details_pb2.ErrorInfo(
        reason=reason.name,
        domain=DOMAIN,
        metadata={
            **(metadata or {}),
            "outcome": outcome or entry.outcome,
            "retryable": "true" if entry.retryable and not is_final else "false",
            "advice": entry.advice,
        },
    )
    status = status_pb2.Status(code=entry.code, message=f"{reason.name}: {text}")
    status.details.append(_pack(info))
    violations = [
        error_details_pb2.BadRequest.FieldViolation(
            field=field, description=description, reason=rule[0] if rule else reason.name
        )
        for field, description, *rule in fields
    ]
    if violations:
        status.details.append(_pack(error_details_pb2.BadRequest(field_violations=violations)))
    return status


def retry_after_ms(status: status_pb2.Status) -> int:
    """Return for how long an error says to wait, 0 when it does not say."""
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info), "every error begins with its ErrorInfo"
    return int(info.metadata.get("retry_after_ms", "0"))


def _pack(detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def make_error(
    reason: Reason, text: str, *, field: str = "", metadata: Mapping[str, str] | None = None
) -> ApiError:
    """Return the error of a reason, blaming one field if there is one to blame."""
    fields = ((field, text),) if field else ()
    return ApiError(make_status(reason, text, metadata=metadata, fields=fields))


def refused_status(refused: Refused) -> status_pb2.Status:
    """Return the status of a command that had no effect."""
    fields = ((refused.field, refused.text),) if refused.field else ()
    metadata = dict(refused.metadata)
    is_final = metadata.pop("retryable", "") == "false"
    # Also for a reason that rejects an order: a withdrawal beyond the funds leaves no trace.
    return make_status(
        refused.reason,
        refused.text,
        metadata=metadata,
        fields=fields,
        outcome="refused",
        is_final=is_final,
    )


@cache
def _rejection_text(reason: Reason) -> str:
    return f"the order was rejected. {reasons()[reason].advice}"


def rejected_status(reason: Reason, *, order_id: int, sequence: int) -> status_pb2.Status:
    """Return the status of an order that was rejected: an event, with a sequence number."""
    return make_status(
        reason,
        _rejection_text(reason),
        metadata={"order_id": str(order_id), "sequence": str(sequence)},
    )
