"""Errors of the catalogue as google.rpc.Status, the same whoever makes them.

Every error is a Status with one ErrorInfo (reason, domain, metadata) and, where fields are wrong,
one BadRequest. The code, `outcome`, `retryable` and the advice come from the catalogue.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from tradewire_contract.catalogue import ReasonEntry, reasons

DOMAIN = "tradewire"
# An error is answered in metadata, of which clients accept 8 KiB.
VIOLATIONS_MAX = 16
# How many of them the message names.
_NAMED_MAX = 8
FIELD_INVALID = "FIELD_INVALID"


def make_status(
    reason: str,
    text: str,
    *,
    metadata: Mapping[str, str] | None = None,
    fields: Iterable[Sequence[str]] = (),
    outcome: str = "",
    is_final: bool = False,
) -> status_pb2.Status:
    """Return the status of a reason by its name without prefix, e.g. `RATE_LIMITED`.

    `fields` are (field path, what is wrong with it) and, if one has an id, the rule that was
    broken. The outcome is the catalogue's, unless it is given. An error that `is_final` is not
    retryable, whatever others of its reason are.
    """
    entry = _by_name()[reason]
    info = error_details_pb2.ErrorInfo(
        reason=reason,
        domain=DOMAIN,
        metadata={
            **(metadata or {}),
            "outcome": outcome or entry.outcome,
            "retryable": "true" if entry.retryable and not is_final else "false",
            "advice": entry.advice,
        },
    )
    status = status_pb2.Status(code=entry.code, message=f"{reason}: {text}")
    status.details.append(_pack(info))
    violations = [
        error_details_pb2.BadRequest.FieldViolation(
            field=field, description=description, reason=rule[0] if rule else reason
        )
        for field, description, *rule in fields
    ]
    if violations:
        status.details.append(_pack(error_details_pb2.BadRequest(field_violations=violations)))
    return status


def violation_status(fields: Sequence[Sequence[str]]) -> status_pb2.Status:
    """Return the status of violated field rules; of very many the first ones."""
    named = fields[:_NAMED_MAX]
    text = "; ".join(f"{field} {description}" for field, description, *_ in named)
    return make_status(FIELD_INVALID, text, fields=fields[:VIOLATIONS_MAX])


def error_info(status: status_pb2.Status) -> error_details_pb2.ErrorInfo:
    """Return the reason and metadata of an error; empty ones if it does not come from the venue."""
    info = error_details_pb2.ErrorInfo()
    # A detail of another type leaves it as it is.
    any(detail.Unpack(info) for detail in status.details)
    return info


@cache
def _by_name() -> dict[str, ReasonEntry]:
    return {entry.name: entry for entry in reasons().values()}


def _pack(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
