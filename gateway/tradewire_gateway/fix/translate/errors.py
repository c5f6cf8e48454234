"""Errors of the catalogue on FIX: those of the venue, and those of messages that the contract has
no words for, which go the same way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from tradewire_contract.catalogue import ReasonEntry, reasons
from tradewire_contract.fix.messages import fix_contract, walk

_BY_NAME: Final = {entry.name: entry for entry in reasons().values()}
_TEXT_MAX: Final = 500
# What a call that never came to an answer means: nobody said what became of it.
_UNANSWERED: Final[dict[int, str]] = {
    code_pb2.DEADLINE_EXCEEDED: "ANSWER_LATE",
    code_pb2.CANCELLED: "ANSWER_LOST",
    code_pb2.UNKNOWN: "ANSWER_LOST",
    code_pb2.UNAVAILABLE: "ANSWER_LOST",
}
_TAG: Final = "fix_tag"
_CODE: Final = "fix_code"


class Untranslatable(Exception):
    """A message cannot be said in the contract; `status` is the error that answers it."""

    def __init__(self, reason: str, text: str, *, tag: int | None = None, code: str = "") -> None:
        super().__init__(text)
        entry = _BY_NAME[reason]
        metadata = {"outcome": "refused", "retryable": "false", "advice": entry.advice}
        if tag is not None:
            metadata[_TAG] = str(tag)
        if code:
            metadata[_CODE] = code
        self.status = status_pb2.Status(code=entry.code, message=f"{reason}: {text}")
        detail = AnyMessage()
        detail.Pack(
            error_details_pb2.ErrorInfo(reason=reason, domain="tradewire", metadata=metadata)
        )
        self.status.details.append(detail)


class Explained(NamedTuple):
    """An error as far as FIX can say it."""

    reason: ReasonEntry
    outcome: str
    text: str
    retry_after_ms: str
    """Empty when it does not say."""
    code: str
    """The code of the answer where it is known better than by the reason; else empty."""
    fields: tuple[str, ...]
    """The contract's fields that are to blame."""
    order_id: str
    sequence: str
    """Of a rejected order: its OrderID(37) and AccountSequence(20001)."""


def explain(status: status_pb2.Status, msg_type: str = "") -> Explained:
    """Return what a status says. One without ErrorInfo is of a call that got no answer.

    Args:
        status: the error.
        msg_type: the message that it answers, by whose fields it names what is wrong.
    """
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        # Each unpacks into what is of its type, and leaves the other alone.
        _ = detail.Unpack(info) or detail.Unpack(request)
    reason = _BY_NAME.get(info.reason) or _BY_NAME[_UNANSWERED.get(status.code, "INTERNAL")]
    violations = [each for each in request.field_violations if each.field]
    text = _named_text(status.message or reason.name, violations, msg_type)
    return Explained(
        reason=reason,
        outcome=info.metadata.get("outcome") or reason.outcome,
        text=plain_text(text),
        retry_after_ms=_number(info.metadata.get("retry_after_ms", "")),
        code=info.metadata.get(_CODE, ""),
        fields=tuple(each.field for each in violations),
        order_id=_number(info.metadata.get("order_id", "")),
        sequence=_number(info.metadata.get("sequence", "")),
    )


def _named_text(
    text: str, violations: Sequence[error_details_pb2.BadRequest.FieldViolation], msg_type: str
) -> str:
    """Return a text with the fields as FIX names them; what it says already it does not repeat."""
    added = list[str]()
    for each in violations:
        name = fix_name(each.field, msg_type)
        said = f"{each.field} {each.description}"
        if said in text:
            text = text.replace(said, f"{name} {each.description}", 1)
        elif each.description in text:
            added.append(name)
        else:
            added.append(f"{name} {each.description}")
    return f"{text} [{'; '.join(added)}]" if added else text


def _number(text: str) -> str:
    """Return a number in metadata; nothing where it is none."""
    return text if text.isascii() and text.isdecimal() else ""


def plain_text(text: str) -> str:
    """Return a text that can stand in a field: without control characters, not too long."""
    return "".join(c if c.isprintable() else " " for c in text)[:_TEXT_MAX]


def reason_text(reason: ReasonEntry) -> str:
    """Return a reason in words."""
    return f"{reason.name}: {reason.advice}" if reason.advice else reason.name


@cache
def _names(msg_type: str) -> dict[str, str]:
    """Return what the contract's fields are called in a message."""
    message = fix_contract().messages.get(msg_type)
    return {
        element.rpartition(".")[2]: f"{member.name}({member.tag})"
        for member in walk(message.members if message is not None else ())
        for element in member.elements
    }


def fix_name(field: str, msg_type: str) -> str:
    """Return what a field of the contract is called in a message; its own name if it has none."""
    return _names(msg_type).get(field.partition("[")[0].rpartition(".")[2], field)
