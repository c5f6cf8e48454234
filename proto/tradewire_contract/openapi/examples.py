"""Requests and answers made of the examples that stand at the contract's fields.

A field without an example takes that of the field of the same name and type in the shared messages
(those of files without a service), if they all have the same one: a name means one thing.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.rpc import status_pb2
from tradewire.v1 import options_pb2

from tradewire_contract.catalogue import ReasonEntry, reasons
from tradewire_contract.methods import ContractError
from tradewire_contract.openapi.rules import is_oneof_required, is_required
from tradewire_contract.openapi.schemas import real_oneof, real_oneofs

DOMAIN = "tradewire"
# A stream that ends has always one of these, and its Closing is what shows a Status in an answer.
_CLOSING_REASON = "SERVER_DRAINING"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


class Examples:
    """Makes examples of messages; `files` are those of the contract."""

    def __init__(self, files: Iterable[FileDescriptor]) -> None:
        self._shared: dict[tuple[str, str], set[str]] = {}
        for file in files:
            if file.services_by_name:
                continue
            for message in file.message_types_by_name.values():
                for field in message.fields:
                    text = _annotated(field)
                    if text:
                        self._shared.setdefault(_kind(field), set()).add(text)

    def request(self, fields: Sequence[FieldDescriptor]) -> dict[str, Any]:
        """Return the fields of a request that must be sent or have an example of their own.

        Of a oneof that must be set, the first one is.
        """
        chosen: dict[str, Any] = {}
        taken = set[str]()
        for field in fields:
            oneof = real_oneof(field)
            if oneof is not None:
                if oneof.full_name in taken or not is_oneof_required(oneof):
                    continue
                taken.add(oneof.full_name)
            elif not (is_required(field) or _annotated(field)):
                continue
            chosen[field.json_name] = self.value(field, is_sent=True)
        return chosen

    def answer(self, message: Descriptor) -> dict[str, Any]:
        """Return a message as an answer prints it, of a oneof the first field."""
        others = {field for oneof in real_oneofs(message) for field in oneof.fields[1:]}
        return {
            field.json_name: self.value(field, is_sent=False)
            for field in message.fields
            if field not in others and (_is_printed(field) or _annotated(field))
        }

    def events(self, message: Descriptor) -> list[dict[str, Any]]:
        """Return one message of a stream for each thing that it can be."""
        (oneof,) = real_oneofs(message)
        return [{field.json_name: self.value(field, is_sent=False)} for field in oneof.fields]

    def value(self, field: FieldDescriptor, *, is_sent: bool) -> Any:
        """Return an example of a field's value.

        Raises ContractError when a request needs one and the contract has none.
        """
        text = _annotated(field) or self._inherited(field)
        if text:
            return json.loads(text)
        if field.message_type is not None:
            found = self._message(field.message_type, is_sent=is_sent)
            return [found] if field.is_repeated else found
        if is_sent:
            raise ContractError(f"{field.full_name} has no example, and a request needs one")
        return _empty(field)

    def _message(self, message: Descriptor, *, is_sent: bool) -> dict[str, Any]:
        if message.full_name == status_pb2.Status.DESCRIPTOR.full_name:
            (entry,) = (entry for entry in reasons().values() if entry.name == _CLOSING_REASON)
            return status_example(entry, "the server is shutting down")
        return self.request(message.fields) if is_sent else self.answer(message)

    def _inherited(self, field: FieldDescriptor) -> str:
        found = self._shared.get(_kind(field), set())
        return next(iter(found)) if len(found) == 1 else ""


def status_example(entry: ReasonEntry, text: str) -> dict[str, Any]:
    """Return the error of a reason as REST answers it."""
    return {
        "code": entry.code,
        "message": f"{entry.name}: {text}",
        "details": [
            {
                "@type": ERROR_INFO,
                "reason": entry.name,
                "domain": DOMAIN,
                "metadata": {
                    "outcome": entry.outcome,
                    "retryable": "true" if entry.retryable else "false",
                    "advice": entry.advice,
                },
            }
        ],
    }


def _annotated(field: FieldDescriptor) -> str:
    return field.GetOptions().Extensions[options_pb2.example]


def _kind(field: FieldDescriptor) -> tuple[str, str]:
    """Return a field's name and type."""
    named = field.enum_type or field.message_type
    kind = named.full_name if named is not None else str(field.type)
    return field.name, f"{'repeated ' if field.is_repeated else ''}{kind}"


def _is_printed(field: FieldDescriptor) -> bool:
    """Say whether the example of an answer has a field that has none itself: one without presence,
    a member of a oneof, and a message, but not a time.
    """
    message = field.message_type
    is_object = message is not None and not message.full_name.startswith("google.protobuf.")
    return not field.has_presence or is_object or real_oneof(field) is not None


def _empty(field: FieldDescriptor) -> Any:
    """Return how an answer prints a field that is not set."""
    if field.is_repeated:
        return []
    if field.enum_type is not None:
        return field.enum_type.values_by_number[0].name
    if field.type in (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64):
        return "0"
    return field.default_value
