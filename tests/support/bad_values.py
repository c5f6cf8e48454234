"""Bad values of a request's fields, found by reading the contract: its types and its rules."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

# What people, programs and attackers send in place of an id, a symbol or a number.
TEXTS = (
    "",
    " ",
    "\n",
    "\x00",
    "é",
    "💥",
    "x" * 300,
    "x" * 37,
    "a b",
    "../../etc/passwd",
    "'; DROP TABLE orders; --",
    "BTC-USD\n",
    "btc-usd",
    "BTC",
    "BTC-",
    "-USD",
    "BTC/USD",
    "-1",
    "+1",
    "1e5",
    "1.",
    ".5",
    "1,5",
    "0x1F",
    "\uff11\uff12",  # digits, but not ASCII ones
    "NaN",
    "Infinity",
    "1.0.0",
    "1 000",
    "9" * 19,
    "0." + "1" * 19,
)
BAD_TIMES = (
    Timestamp(nanos=-1),
    Timestamp(nanos=10**9),
    Timestamp(seconds=-62_135_596_801),
    Timestamp(seconds=253_402_300_800),
    Timestamp(seconds=(1 << 63) - 1, nanos=(1 << 31) - 1),
    Timestamp(seconds=-(1 << 63)),
)
_WIDTHS = {FieldDescriptor.CPPTYPE_INT32: 31, FieldDescriptor.CPPTYPE_INT64: 63}


class Spoiled(NamedTuple):
    """A request with one bad field: its path as BadRequest names it, and what is bad."""

    path: str
    value: Any
    request: Message


def spoil(request: Message) -> Iterator[Spoiled]:
    """Yield copies of a valid request, each with one field that breaks a rule of the contract."""
    yield from _spoil(request, _descriptor(request), ())


def extremes(request: Message) -> Iterator[Spoiled]:
    """Yield copies with a number at the end of its type where the contract has no rule about it."""
    for field in _descriptor(request).fields:
        width = _WIDTHS.get(field.cpp_type)
        if width is not None and not _has_rules(field) and not field.is_repeated:
            for value in (-(1 << width), -1, (1 << width) - 1):
                yield _with(request, (), field, value)


def _descriptor(message: Message) -> Descriptor:
    found = message.DESCRIPTOR
    assert isinstance(found, Descriptor)
    return found


def _has_rules(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().HasExtension(validate_pb2.field))


def _rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    return field.GetOptions().Extensions[validate_pb2.field]


def _spoil(
    root: Message, message: Descriptor, parents: tuple[FieldDescriptor, ...]
) -> Iterator[Spoiled]:
    for field in message.fields:
        for value in _bad_values(field):
            yield _with(root, parents, field, value)
        if field.message_type is not None and not field.is_repeated:
            if _rules(field).required:
                yield _without(root, parents, field.name)
            if field.message_type.full_name.startswith("tradewire."):
                yield from _spoil(root, field.message_type, (*parents, field))
    for oneof in message.oneofs:
        if oneof.GetOptions().Extensions[validate_pb2.oneof].required:
            yield _without(root, parents, oneof.name)


def _bad_values(field: FieldDescriptor) -> Iterator[Any]:
    rules = _rules(field)
    if field.is_repeated:
        yield from _bad_lists(field, rules.repeated)
    elif field.message_type is Timestamp.DESCRIPTOR:
        yield from BAD_TIMES
    elif _has_rules(field):
        yield from _bad_scalars(field, rules)


def _bad_scalars(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Iterator[Any]:
    if rules.HasField("string"):
        for text in TEXTS:
            ignored = not text and rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE
            if not ignored and _breaks(text, rules.string):
                yield text
    elif rules.HasField("enum"):
        yield from (99, -1, (1 << 31) - 1, -(1 << 31))
        yield from rules.enum.not_in
        if getattr(rules.enum, "in") and field.enum_type is not None:
            numbers = {value.number for value in field.enum_type.values}
            yield from sorted(numbers - set(getattr(rules.enum, "in")))
    elif rules.HasField("bytes"):
        yield bytes(rules.bytes.max_len + 1)
    elif rules.HasField("int32"):
        yield from _bad_numbers(rules.int32, 31)
    elif rules.HasField("int64"):
        yield from _bad_numbers(rules.int64, 63)


def _breaks(text: str, rules: validate_pb2.StringRules) -> bool:
    if rules.pattern:
        return re.fullmatch(rules.pattern.removeprefix("^").removesuffix("$"), text) is None
    return len(text) < rules.min_len or (rules.HasField("max_len") and len(text) > rules.max_len)


def _bad_numbers(
    rules: validate_pb2.Int32Rules | validate_pb2.Int64Rules, width: int
) -> Iterator[int]:
    if rules.HasField("gte"):
        yield from (rules.gte - 1, -(1 << width))
    if rules.HasField("gt"):
        yield from (rules.gt, rules.gt - 1, -(1 << width))
    if rules.HasField("lte"):
        yield from (rules.lte + 1, (1 << width) - 1)


def _bad_lists(field: FieldDescriptor, rules: validate_pb2.RepeatedRules) -> Iterator[list[Any]]:
    if rules.min_items:
        yield []
    if rules.HasField("items"):
        for value in _bad_scalars(field, rules.items):
            yield [value]
    if field.message_type is not None:
        if rules.HasField("max_items"):
            yield [GetMessageClass(field.message_type)()] * (rules.max_items + 1)
    else:
        good = _good_item(field, rules)
        if rules.unique:
            yield [good(1), good(1)]
        if rules.HasField("max_items") and field.enum_type is None:
            yield [good(number) for number in range(rules.max_items + 1)]


def _good_item(field: FieldDescriptor, rules: validate_pb2.RepeatedRules) -> Any:
    if field.enum_type is not None:
        allowed = getattr(rules.items.enum, "in") or [
            value.number
            for value in field.enum_type.values
            if value.number not in rules.items.enum.not_in
        ]
        return lambda number: allowed[number - 1]
    if rules.items.string.pattern:
        return lambda number: f"A{number}-USD"
    return lambda number: f"192.0.2.{number}"


def _with(
    root: Message, parents: tuple[FieldDescriptor, ...], field: FieldDescriptor, value: Any
) -> Spoiled:
    request = type(root)()
    request.CopyFrom(root)
    target: Any = request
    for parent in parents:
        target = getattr(target, parent.name)
    path = ".".join([*(parent.name for parent in parents), field.name])
    if field.is_repeated:
        target.ClearField(field.name)
        getattr(target, field.name).extend(value)
    elif field.message_type is not None:
        getattr(target, field.name).CopyFrom(value)
    else:
        setattr(target, field.name, value)
    return Spoiled(path, value, request)


def _without(root: Message, parents: tuple[FieldDescriptor, ...], name: str) -> Spoiled:
    request = type(root)()
    request.CopyFrom(root)
    target: Any = request
    for parent in parents:
        target = getattr(target, parent.name)
    target.ClearField(name)
    return Spoiled(".".join([*(parent.name for parent in parents), name]), "(missing)", request)
