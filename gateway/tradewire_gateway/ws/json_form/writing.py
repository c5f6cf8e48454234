"""A message as JSON text, as the REST edge writes its answers.

A field without presence is always there, also when it is empty; one with presence (`optional`,
a message, a member of a oneof) only when it is set. 64-bit numbers are texts, enums the names of
their values. What is compiled is one flat function per message; what stands in it comes from the
contract alone: names of fields, and no values.
"""

from __future__ import annotations

import keyword
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

import msgspec
from google.protobuf import descriptor_pool, json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from tradewire_contract import ContractError

from tradewire_gateway.ws.json_form.times import time_text

Plain = Callable[[Any], Any]

_ANY: Final = "google.protobuf.Any"
_TIMESTAMP: Final = "google.protobuf.Timestamp"
_OF_PROTOBUF: Final = "google.protobuf."
_LONG: Final = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_AS_IT_IS: Final = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_BOOL,
)
_encode = msgspec.json.Encoder().encode


@cache
def writer(descriptor: Descriptor) -> Callable[[Message], str]:
    """Return what writes messages of a type as JSON text, without blanks.

    Raises ContractError for a message with a field that has no form here.
    """
    make = plain(descriptor)

    def write(message: Message) -> str:
        return _encode(make(message)).decode()

    return write


@cache
def plain(descriptor: Descriptor) -> Plain:
    """Return what makes dicts, lists and texts of messages of a type, as JSON has them.

    Raises ContractError for a message with a field that has no form here.
    """
    if descriptor.full_name == _TIMESTAMP:
        return _time
    if descriptor.full_name == _ANY:
        return _any
    if descriptor.full_name.startswith(_OF_PROTOBUF):
        return json_format.MessageToDict
    return _compiled(descriptor)


def _time(message: Any) -> str:
    return time_text(message.seconds, message.nanos)


def _any(message: Any) -> dict[str, Any]:
    """Return a packed message. One of a type that is not known here stays as it came, in base64:
    better than no answer at all.
    """
    name = message.type_url.rpartition("/")[2]
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
        inner = GetMessageClass(descriptor).FromString(message.value)
    except (KeyError, DecodeError):
        return {"@type": message.type_url, "value": b64encode(message.value).decode()}
    found = plain(descriptor)(inner)
    if name.startswith(_OF_PROTOBUF):
        return {"@type": message.type_url, "value": found}
    return {"@type": message.type_url, **found}


def _compiled(descriptor: Descriptor) -> Plain:
    names: dict[str, Any] = {"time_text": time_text, "b64encode": b64encode}
    lines = ["def write(message):", "    made = {}", *_lines(descriptor, names), "    return made"]
    exec("\n".join(lines), names)
    write: Plain = names["write"]
    return write


def _lines(descriptor: Descriptor, names: dict[str, Any]) -> Iterator[str]:
    chosen: dict[str, str] = {}
    for number, oneof in enumerate(descriptor.oneofs):
        if len(oneof.fields) > 1:
            chosen |= {field.name: f"chosen_{number}" for field in oneof.fields}
            yield f"    chosen_{number} = message.WhichOneof({oneof.name!r})"
    for field in descriptor.fields:
        value = f"message.{field.name}"
        if keyword.iskeyword(field.name):
            value = f"getattr(message, {field.name!r})"
        target = f"made[{field.json_name!r}] ="
        if field.name in chosen:
            yield f"    if {chosen[field.name]} == {field.name!r}:"
            yield f"        value = {value}"
            yield f"        {target} {_expression(field, 'value', names)}"
        elif field.message_type is not None and not field.is_repeated:
            yield f"    if message.HasField({field.name!r}):"
            yield f"        value = {value}"
            yield f"        {target} {_expression(field, 'value', names)}"
        elif field.has_presence:
            # Asking for the value is faster than asking whether it is there.
            yield f"    value = {value}"
            yield f"    if value or message.HasField({field.name!r}):"
            yield f"        {target} {_expression(field, 'value', names)}"
        elif _is_map(field):
            yield f"    {target} {_map_expression(field, value, names)}"
        elif field.is_repeated:
            yield f"    {target} [{_expression(field, 'each', names)} for each in {value}]"
        else:
            yield f"    {target} {_expression(field, value, names)}"


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _map_expression(field: FieldDescriptor, value: str, names: dict[str, Any]) -> str:
    assert field.message_type is not None, "a map's entries are messages"
    entry = field.message_type.fields_by_name
    if entry["key"].cpp_type != FieldDescriptor.CPPTYPE_STRING:
        raise ContractError(f"{field.full_name} has keys that are no texts")
    inner = _expression(entry["value"], "each", names)
    return f"{{key: {inner} for key, each in {value}.items()}}"


def _expression(field: FieldDescriptor, value: str, names: dict[str, Any]) -> str:
    """Return the expression that makes the JSON form of one value, and put what it calls into
    names.
    """
    if field.message_type is not None:
        if field.message_type.full_name == _TIMESTAMP:
            return f"time_text({value}.seconds, {value}.nanos)"
        called = f"write_{len(names)}"
        names[called] = plain(field.message_type)
        return f"{called}({value})"
    if field.enum_type is not None:
        called = f"names_{len(names)}"
        names[called] = _EnumNames(field.enum_type)
        return f"{called}[{value}]"
    if field.cpp_type in _LONG:
        return f"str({value})"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f"b64encode({value}).decode()"
    if field.cpp_type in _AS_IT_IS or field.type == FieldDescriptor.TYPE_STRING:
        return value
    raise ContractError(f"{field.full_name} has a type that is not used here")


class _EnumNames(dict[int, str | int]):
    """The names of an enum's values. A number of a newer contract stays a number."""

    def __init__(self, enum: EnumDescriptor) -> None:
        super().__init__({value.number: value.name for value in reversed(enum.values)})

    def __missing__(self, number: int) -> int:
        return number
