"""Parsed JSON as a message of the contract.

Two ways lead to a message. The fast one looks up each member by its name and the kind of its value,
and gives all of it to protobuf, which checks ranges, names of enums and Unicode itself; whatever it
does not find, or protobuf does not take, sends the whole value the other way. There the rules of
the contract say what is wrong, field by field in the words of REST, or that nothing is: then the
message is made value by value.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2
from tradewire_contract import ContractError
from tradewire_contract.json_form import Findings, Given, check_message
from tradewire_contract.json_form.fields import Field, fields_of
from tradewire_contract.statuses import make_status, violation_status

from tradewire_gateway.ws.json_form.times import read_time

Read = Callable[[Any], Message]

_TIMESTAMP: Final = "google.protobuf.Timestamp"
_NONE: Final = type(None)
_FLOATS: Final = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)
_WHOLE: Final = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
)

_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")


class FormInvalid(Exception):
    """A value is not a message of the type: `path` of the first field that is wrong, empty if it is
    the whole; `text` what is wrong with it; `status` the error, as REST answers it.
    """

    def __init__(self, path: str, text: str, status: status_pb2.Status) -> None:
        super().__init__(f"{path} {text}".lstrip())
        self.path = path
        self.text = text
        self.status = status


class _Other(Exception):
    """The fast way ends here."""


# What becomes of a member: the field's name, and how its value is read, None as it is.
_Step = tuple[str, Callable[[Any], Any] | None]


class _Plan(NamedTuple):
    """What the fast way knows of a message: by the kind of a JSON value and the member's name.

    `direct` are those whose value protobuf takes as it is.
    """

    make: Callable[..., Message]
    direct: dict[type, dict[str, str]]
    steps: dict[type, dict[str, _Step]]
    oneofs: tuple[tuple[str, ...], ...]


@cache
def reader(descriptor: Descriptor) -> Read:
    """Return what makes messages of a type of parsed JSON; null is the empty message.

    It raises FormInvalid, with FIELD_INVALID and a violation per field, or MESSAGE_MALFORMED if the
    value is no object. Raises ContractError for a message with a field that has no form here.
    """
    fast = _fast_reader(descriptor)

    def read(content: Any) -> Message:
        try:
            return fast(content)
        except (_Other, LookupError, TypeError, ValueError, AttributeError):
            return _read_strictly(content, descriptor)

    return read


@cache
def _fast_reader(descriptor: Descriptor) -> Read:
    plan = _plan(descriptor)
    make, direct, steps, oneofs = plan

    def read(content: Any) -> Message:
        if type(content) is not dict:
            raise _Other
        try:
            values: dict[str, Any] = {
                direct[type(value)][name]: value for name, value in content.items()
            }
        except KeyError:
            values = {}
            for name, value in content.items():
                field, convert = steps[type(value)][name]
                values[field] = value if convert is None else convert(value)
        # Else two were names of the same field.
        if len(values) != len(content):
            raise _Other
        for members in oneofs:
            if sum(values.get(member) is not None for member in members) > 1:
                raise _Other
        return make(**values)

    return read


def _plan(descriptor: Descriptor) -> _Plan:
    direct: dict[type, dict[str, str]] = {}
    steps: dict[type, dict[str, _Step]] = {}
    oneofs: dict[str, list[str]] = {}
    for field in descriptor.fields:
        spec = fields_of(descriptor).by_name[field.name]
        if spec.oneof:
            oneofs.setdefault(spec.oneof, []).append(field.name)
        for kind, read in _kinds(spec).items():
            for name in {field.name, field.json_name}:
                if read is None:
                    direct.setdefault(kind, {})[name] = field.name
                steps.setdefault(kind, {})[name] = (field.name, read)
    return _Plan(
        make=GetMessageClass(descriptor),
        direct=direct,
        steps=steps,
        oneofs=tuple(tuple(members) for members in oneofs.values() if len(members) > 1),
    )


def _kinds(field: Field) -> dict[type, Callable[[Any], Any] | None]:
    """Return how a field's values are read by their kind; None: as they are.

    What is not here is left to the other way.
    """
    if field.cpp_type in _FLOATS:
        raise ContractError(f"{field.name} is a number that is not exact")
    kinds: dict[type, Callable[[Any], Any] | None] = {_NONE: None}
    if field.foreign is not None:
        return kinds
    if field.is_repeated:
        read = _list_reader(field)
        return kinds | ({list: read} if read is not None else {})
    if field.is_text:
        assert field.message is not None, "a message that is a text"
        return kinds | ({str: read_time} if field.message.full_name == _TIMESTAMP else {})
    if field.message is not None:
        return kinds | {dict: _fast_reader(field.message)}
    if field.enum is not None:
        return kinds | {str: None, int: None}
    if field.cpp_type in _WHOLE:
        return kinds | {str: _digits, int: None}
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return kinds | {bool: None}
    return kinds | ({str: None} if field.type == FieldDescriptor.TYPE_STRING else {})


def _list_reader(field: Field) -> Callable[[Any], Any] | None:
    most = field.items_max
    if field.message is not None and not field.is_text:
        read = _fast_reader(field.message)

        def read_messages(items: list[Any]) -> list[Message]:
            if most and len(items) > most:
                raise _Other
            return [read(item) for item in items]

        return read_messages
    if field.type != FieldDescriptor.TYPE_STRING:
        return None

    def read_texts(items: list[Any]) -> list[str]:
        if (most and len(items) > most) or any(type(item) is not str for item in items):
            raise _Other
        return items

    return read_texts


def _digits(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    raise _Other


def _read_strictly(content: Any, descriptor: Descriptor) -> Message:
    """Return the message of a value.

    Raises FormInvalid.
    """
    if content is None:
        content = {}
    if not isinstance(content, dict):
        text = "is not a JSON object: {...}"
        raise FormInvalid("", text, make_status("MESSAGE_MALFORMED", f"params {text}"))
    findings = Findings()
    check_message(content, descriptor, Given(), findings)
    if findings.found:
        raise FormInvalid(*findings.found[0], violation_status(findings.found))
    message = GetMessageClass(descriptor)()
    _fill(message, content, descriptor)
    return message


def _fill(message: Any, content: dict[str, Any], descriptor: Descriptor) -> None:
    """Set what an object says that was found to be right."""
    by_name = fields_of(descriptor).by_name
    for name, value in content.items():
        field = by_name[name]
        if value is None:
            continue
        if field.foreign is not None:
            json_format.ParseDict({field.json_name: value}, message)
        elif field.message is not None:
            inner = getattr(message, field.name)
            if field.is_repeated:
                for item in value:
                    _set(inner.add(), item, field)
            else:
                inner.SetInParent()
                _set(inner, value, field)
        elif field.is_repeated:
            getattr(message, field.name).extend(_scalar(item, field) for item in value)
        else:
            setattr(message, field.name, _scalar(value, field))


def _set(message: Any, value: Any, field: Field) -> None:
    if field.is_text:
        message.FromJsonString(value)
    else:
        _fill(message, value, message.DESCRIPTOR)


def _scalar(value: Any, field: Field) -> Any:
    if field.enum is not None and isinstance(value, str) and value in field.enum_names:
        return field.enum.values_by_name[value].number
    if field.enum is not None or field.cpp_type in _WHOLE:
        return int(Decimal(value))
    if field.type == FieldDescriptor.TYPE_BYTES:
        digits = value.rstrip("=").translate(_STANDARD_ALPHABET)
        return b64decode(digits + "=" * (-len(digits) % 4))
    return value
