"""What the server answers when it refuses: its reasons as google.rpc.Status.

What a status is made of stands in `tradewire_contract.statuses`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from google.rpc import error_details_pb2, status_pb2
from tradewire_contract import reasons, statuses

from tradewire_server.engine.commands import Refused
from tradewire_server.engine.vocabulary import Reason

DOMAIN = statuses.DOMAIN


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
    return statuses.make_status(
        reason.name,
        text,
        metadata=metadata,
        fields=fields,
        outcome=outcome,
        is_final=is_final,
    )


def retry_after_ms(status: status_pb2.Status) -> int:
    """Return for how long an error says to wait, 0 when it does not say."""
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info), "every error begins with its ErrorInfo"
    return int(info.metadata.get("retry_after_ms", "0"))


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
