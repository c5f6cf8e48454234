"""The fields of a message as JSON names them, and which texts and numbers a field takes.

Protobuf's JSON mapping knows both names of a field, and most who read it drop what they do not know
and take the last of two. Here a field is given once, under one of its names, or the request is
refused.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from buf.validate import validate_pb2
from google.protobuf import duration_pb2, field_mask_pb2, json_format, timestamp_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tradewire_contract.json_form.text import Doubled

# What a key or a value is shown of, and what is compared with names that exist.
SHOWN_MAX = 64
# Where a field's name would stand, had the path not given it.
_PATH = "/"
FOUND_MAX = 16
# Of a message that JSON writes as one text: a time, a list of fields.
TEXT_MESSAGE_MAX = 1_024

_INTEGER = re.compile(r"-?[0-9]{1,40}(\.0{1,40})?", re.ASCII)
_EXPONENT = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?[eE][+-]?[0-9]{1,3}", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")

_INTEGER_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
}
# None is in the contract; what is wrong with one is left to protobuf.
_FLOATS = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)
# Messages that JSON writes as one text.
_TEXT_MESSAGES: dict[str, tuple[Callable[[], Any], str]] = {
    "google.protobuf.Timestamp": (timestamp_pb2.Timestamp, "2026-01-31T12:00:00Z"),
    "google.protobuf.Duration": (duration_pb2.Duration, "1.5s"),
    "google.protobuf.FieldMask": (field_mask_pb2.FieldMask, "price,quantity"),
}


class Field(NamedTuple):
    """What is looked at of a field: read once, because reading a descriptor makes objects anew.

    `is_text` says that its message is written as one text; `oneof` is empty without one, and
    `items_max` 0 if the contract does not bound the list. `foreign` is the message that has the
    field, if its value has a form that only protobuf's own reader knows: a Struct, an Any, a map.
    """

    name: str
    json_name: str
    oneof: str
    is_repeated: bool
    items_max: int
    cpp_type: int
    type: int
    message: Descriptor | None
    is_text: bool
    enum: EnumDescriptor | None
    enum_names: frozenset[str]
    foreign: Callable[[], Message] | None


class Fields(NamedTuple):
    """A message's fields under each of their names."""

    by_name: dict[str, Field]
    names: tuple[str, ...]


@cache
def fields_of(descriptor: Descriptor) -> Fields:
    """Return the fields of a message."""
    fields = [_read(field) for field in descriptor.fields]
    by_name = {field.name: field for field in fields} | {field.json_name: field for field in fields}
    return Fields(by_name, tuple(field.json_name for field in fields))


def _read(field: FieldDescriptor) -> Field:
    message, enum, oneof = field.message_type, field.enum_type, field.containing_oneof
    is_foreign = message is not None and (
        message.GetOptions().map_entry
        or (message.full_name.startswith("google.protobuf.") and not is_text_message(message))
    )
    assert field.containing_type is not None, "a field of a message"
    return Field(
        name=field.name,
        json_name=field.json_name,
        oneof=oneof.name if oneof is not None else "",
        is_repeated=field.is_repeated,
        items_max=field.GetOptions().Extensions[validate_pb2.field].repeated.max_items,
        cpp_type=field.cpp_type,
        type=field.type,
        message=message,
        is_text=message is not None and is_text_message(message),
        enum=enum,
        enum_names=frozenset(value.name for value in enum.values) if enum else frozenset(),
        foreign=GetMessageClass(field.containing_type) if is_foreign else None,
    )


def is_text_message(descriptor: Descriptor) -> bool:
    """Say whether JSON writes this message as a text."""
    return descriptor.full_name in _TEXT_MESSAGES


class Findings:
    """What is wrong with a request, field by field; of very much the first."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    @property
    def is_full(self) -> bool:
        """Whether enough was found to tell."""
        return len(self.found) >= FOUND_MAX

    def add(self, path: str, what: str) -> None:
        """Take note of what is wrong with a field."""
        if not self.is_full:
            self.found.append((path, what))


class Given:
    """Which fields of one message were given, to refuse the second time."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._oneofs: dict[str, str] = {}
        self._items: dict[str, int] = {}

    def from_path(self, field: Field) -> None:
        """Take note of a field that is a variable of the path."""
        self._names[field.name] = _PATH
        if field.oneof:
            self._oneofs[field.oneof] = field.name

    def once(self, field: Field, name: str, *, counts: bool = True) -> str | None:
        """Take note of a field and say why it must not be given here, None if it may.

        A null (it does not count) is no member of its oneof.
        """
        former = self._names.setdefault(field.name, "")
        self._names[field.name] = former or name
        if former == _PATH:
            return "is given by the path, and a second time here"
        if former:
            return "is given twice" + ("" if former == name else f", as {former} and as {name}")
        if not field.oneof or not counts:
            return None
        other = self._oneofs.setdefault(field.oneof, field.name)
        return None if other == field.name else f"excludes {other}, which is given too"

    def repeated(self, field: Field, name: str) -> str | None:
        """Take note of one more value of a list, which has to be under the same name."""
        former = self._names.setdefault(field.name, name)
        if former != name:
            return f"is given twice, as {former} and as {name}"
        items = self._items[field.name] = self._items.get(field.name, 0) + 1
        most = field.items_max
        return f"must have at most {most} items" if most and items > most else None


def unknown(name: str, names: Iterable[str]) -> str:
    """Return what is said of a field that does not exist."""
    suggestion = did_you_mean(name, names)
    return f"is not a field of this request{suggestion}"


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return `: did you mean ...?` if a word is near one that exists."""
    if len(word) > SHOWN_MAX:
        return ""
    folded = {known.lower().replace("_", ""): known for known in words}
    wanted = word.lower().replace("_", "").replace("-", "")
    near = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.7)
    # `BUY` for `SIDE_BUY`.
    ends = [key for key in folded if len(wanted) > 1 and key.endswith(wanted)]
    found = [*(ends if len(ends) == 1 else ()), *near]
    return f": did you mean {folded[found[0]]}?" if found else ""


def shown(text: str) -> str:
    """Return as much of a name as an error shows, printable."""
    return (text if text.isprintable() else ascii(text)[1:-1])[:SHOWN_MAX] or '""'


def text_problem(field: Field, text: str) -> str | None:
    """Say why a text is not a value of a field, None if it is one."""
    if not text.isascii() and _SURROGATE.search(text):
        return "has half a character: it is not valid Unicode"
    if field.message is not None:
        return _text_message_problem(field.message, text)
    if field.enum is not None:
        return None if text in field.enum_names else _enum_text_problem(field.enum, text)
    if field.cpp_type in _INTEGER_BOUNDS:
        return _integer_text_problem(field, text)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return f"must be {kind_of(field)}"
    if field.type == FieldDescriptor.TYPE_BYTES:
        is_base64 = _BASE64.fullmatch(text) is not None and len(text.rstrip("=")) % 4 != 1
        return None if is_base64 else "must be base64"
    return None


def number_problem(field: Field, number: int | float) -> str | None:
    """Say why a number is not a value of a field, None if it is one."""
    bounds = _INTEGER_BOUNDS.get(field.cpp_type)
    if field.enum is not None:
        bounds = _INTEGER_BOUNDS[FieldDescriptor.CPPTYPE_INT32]
    if bounds is not None:
        if isinstance(number, float) and not number.is_integer():
            return "must be a whole number"
        low, high = bounds
        return None if low <= number <= high else f"must be between {low} and {high}"
    return None if field.cpp_type in _FLOATS else f"must be {kind_of(field)}"


def foreign_problem(field: Field, value: Any) -> str | None:
    """Say why a value is not one of a field that only protobuf's own reader knows."""
    assert field.foreign is not None, "asked of such a field only"
    try:
        json_format.ParseDict({field.json_name: value}, field.foreign())
    except (json_format.ParseError, TypeError, ValueError):
        return f"must be {kind_of(field)}"
    return "has a key twice" if _has_doubled(value) else None


def _has_doubled(value: Any) -> bool:
    if isinstance(value, dict):
        return isinstance(value, Doubled) or any(map(_has_doubled, value.values()))
    return isinstance(value, list) and any(map(_has_doubled, value))


def kind_of(field: Field) -> str:
    """Return what JSON has for a value of this field, for an error text."""
    if field.message is not None:
        text = _TEXT_MESSAGES.get(field.message.full_name)
        return f'a string such as "{text[1]}"' if text else "an object"
    if field.enum is not None:
        return f"one of {', '.join(_enum_names(field.enum))}"
    if field.cpp_type in _INTEGER_BOUNDS:
        return "a whole number"
    if field.cpp_type in _FLOATS:
        return "a number"
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "true or false"
    return "base64 in quotes" if field.type == FieldDescriptor.TYPE_BYTES else "a string in quotes"


def _text_message_problem(descriptor: Descriptor, text: str) -> str | None:
    kind, example = _TEXT_MESSAGES[descriptor.full_name]
    try:
        # Protobuf's reader in Python takes the digits of any script, its other ones do not.
        if len(text) > TEXT_MESSAGE_MAX or not text.isascii():
            raise ValueError("it cannot be one")
        kind().FromJsonString(text)
    except ValueError:
        return f'must be of the form "{example}"'
    return None


def _enum_names(enum: EnumDescriptor) -> list[str]:
    return [value.name for value in enum.values if value.number]


def _enum_text_problem(enum: EnumDescriptor, text: str) -> str | None:
    if _INTEGER.fullmatch(text) and "." not in text:
        return None
    names = _enum_names(enum)
    return f"must be one of {', '.join(names)}{did_you_mean(text, names)}"


def _integer_text_problem(field: Field, text: str) -> str | None:
    if _INTEGER.fullmatch(text):
        return number_problem(field, int(text.partition(".")[0]))
    if _EXPONENT.fullmatch(text):
        return number_problem(field, float(text))
    return "must be a whole number"
