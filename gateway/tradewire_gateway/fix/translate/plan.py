"""Plans: how a message of the contract is written in FIX and read from it, by its annotations.

A plan is compiled once per message from its descriptor, for writing into one flat function; nothing
looks at a descriptor afterwards. What the annotations do not say stands in the tables of
`tradewire_contract.fix.rules`, and is done by those who use a plan.

An absent field is not written: an empty text, an enum's 0, false, an unset message. A number
without presence always is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from tradewire.v1 import options_pb2
from tradewire_contract.fix.messages import fix_contract, source_messages
from tradewire_contract.fix.placement import TIMESTAMP, Placed, enum_values, placed

from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.values import (
    SECOND_NS,
    format_boolean,
    format_utc_timestamp,
    parse_boolean,
    parse_integer,
    parse_utc_timestamp,
)

Write = Callable[[Any, Fields], None]

_SINGLE: Final = (options_pb2.FIX_FORM_DATE_AND_TIME, options_pb2.FIX_FORM_LONG_SHORT)


class Malformed(ValueError):
    """A value cannot be read: the field's tag, and why."""

    def __init__(self, tag: int, text: str) -> None:
        super().__init__(text)
        self.tag = tag


def format_time(time: Timestamp) -> str:
    """Return a time as UTCTIMESTAMP in microseconds, cut off: many engines refuse more digits."""
    return _format_time(time.seconds, time.nanos)


@lru_cache(maxsize=1024)
def _format_time(seconds: int, nanos: int) -> str:
    """Return a time; the same few come again, since a batch has one for all that it did."""
    return format_utc_timestamp(seconds * SECOND_NS + nanos, 6)


def read_time(text: str) -> Timestamp:
    """Return the time that a UTCTIMESTAMP says."""
    time_ns = parse_utc_timestamp(text)
    if time_ns is None:
        raise ValueError("is no time")
    return Timestamp(seconds=time_ns // SECOND_NS, nanos=time_ns % SECOND_NS)


class WritePlan:
    """Writes a message of the contract as fields; `tags` are those that it may write."""

    def __init__(
        self,
        message: Descriptor,
        *,
        grouped: dict[int, tuple[int, ...]] | None = None,
        without: Iterable[int] = (),
        entries_without: Iterable[int] = (),
    ) -> None:
        order = grouped or {}
        hidden, hidden_in_entries = frozenset(without), frozenset(entries_without)
        self.tags: set[int] = set()
        self.entry_tags: dict[int, set[int]] = {}
        self._components: list[tuple[str, WritePlan]] = []
        self._simple: list[tuple[int, FieldDescriptor]] = []
        self._steps: list[Write] = []
        for field in message.fields:
            rule = field.GetOptions().Extensions[options_pb2.fix]
            if rule.form == options_pb2.FIX_FORM_COMPONENT:
                assert field.message_type is not None, "a component is a message"
                plan = WritePlan(
                    field.message_type,
                    grouped=order,
                    without=hidden,
                    entries_without=hidden_in_entries,
                )
                self._components.append((field.name, plan))
                self.tags |= plan.tags
                for tag, entry in plan.entry_tags.items():
                    self.entry_tags.setdefault(tag, set()).update(entry)
            elif rule.tag and rule.tag not in hidden:
                self._add(Placed((), field, rule), order, hidden_in_entries)
        self.write = self._compile()

    def fields(self, message: Any) -> Fields:
        """Return a message as fields."""
        fields = Fields()
        self.write(message, fields)
        return fields

    def _add(
        self, place: Placed, order: dict[int, tuple[int, ...]], hidden: frozenset[int]
    ) -> None:
        field, rule = place.field, place.rule
        if rule.form == options_pb2.FIX_FORM_GROUP:
            self._steps.append(self._group(field, rule, order, hidden))
        elif rule.group:
            self._steps.append(self._single_entry(field, rule, order))
        elif rule.form in _SINGLE:
            self.tags |= {rule.tag, rule.tag + 1}
            self._steps.append(_pair(field, rule))
        else:
            self.tags.add(rule.tag)
            self._simple.append((rule.tag, field))

    def _compile(self) -> Write:
        """Return the plan as a function: it takes half the time of a loop over steps."""
        names: dict[str, Any] = {"format_time": format_time, "format_boolean": format_boolean}
        lines = ["def write(message, fields):", *self.source("message", "    ", names)]
        exec("\n".join(lines), names)
        write: Write = names["write"]
        return write

    def source(self, message: str, indent: str, names: dict[str, Any]) -> Iterator[str]:
        """Yield the lines that write a message, and put what they call into names.

        What stands in them comes from the contract alone: names of fields, tags, and no values.
        """
        for name, plan in self._components:
            yield f"{indent}if {message}.HasField({name!r}):"
            yield f"{indent}    {message}_{name} = {message}.{name}"
            # A message's own fields come last: they win over those of its components.
            yield from plan.source(f"{message}_{name}", f"{indent}    ", names)
        for tag, field in self._simple:
            value = f"{message}.{field.name}"
            if field.has_presence and field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
                text = _conversion(field, value, names)
                yield f"{indent}if {message}.HasField({field.name!r}): fields[{tag}] = {text}"
            elif _is_number(field):
                yield f"{indent}fields[{tag}] = str({value})"
            else:
                yield f"{indent}value = {value}"
                yield f"{indent}if value: fields[{tag}] = {_conversion(field, 'value', names)}"
        for step in self._steps:
            called = f"step_{len(names)}"
            names[called] = step
            yield f"{indent}{called}({message}, fields)"
        # A message of which nothing is written still needs a line.
        yield f"{indent}pass"

    def _group(
        self,
        field: FieldDescriptor,
        rule: options_pb2.FixRule,
        order: dict[int, tuple[int, ...]],
        hidden: frozenset[int],
    ) -> Write:
        """Return a step that adds an entry per message of a repeated field."""
        assert field.message_type is not None, "a group's entries are messages"
        constants = {constant.tag: constant.value for constant in rule.constants}
        plan = WritePlan(field.message_type, without=hidden)
        count, name, begin = rule.tag, field.name, order.get(rule.tag, ())
        self.tags.add(count)
        self.entry_tags.setdefault(count, set()).update(constants, plan.tags)

        def write(message: Any, fields: Fields) -> None:
            entries: Any = fields.setdefault(count, [])
            for each in getattr(message, name):
                entry = Fields(constants)
                plan.write(each, entry)
                entries.append(in_order(entry, begin))

        return write

    def _single_entry(
        self, field: FieldDescriptor, rule: options_pb2.FixRule, order: dict[int, tuple[int, ...]]
    ) -> Write:
        """Return a step that writes a group: of one entry, or one per value of a repeated field."""
        constants = {constant.tag: constant.value for constant in rule.constants}
        inner = _pair(field, rule) if rule.form in _SINGLE else _text(field, rule.tag)
        count, tag, name, begin = rule.group, rule.tag, field.name, order.get(rule.group, ())
        self.tags.add(count)
        tags = {tag, tag + 1} if rule.form in _SINGLE else {tag}
        self.entry_tags.setdefault(count, set()).update(constants, tags)

        # The value comes last where the rules do not say otherwise.
        first = in_order(Fields({**constants, tag: ""}), begin)
        behind = Fields({each: first[each] for each in list(first)[list(first).index(tag) + 1 :]})
        before = Fields({each: value for each, value in first.items() if each not in behind})
        del before[tag]

        def write(message: Any, fields: Fields) -> None:
            entry = Fields(before)
            inner(message, entry)
            if len(entry) > len(before):
                entry.update(behind)
                fields[count] = [entry]

        def write_each(message: Any, fields: Fields) -> None:
            fields[count] = [Fields({tag: each}) for each in getattr(message, name)]

        return write_each if field.is_repeated else write


class ReadStep(NamedTuple):
    """What becomes of a field of FIX: the contract's field, and how to read it."""

    name: str
    read: Callable[[str], Any] | None


class ReadPlan:
    """Reads fields as a message of the contract."""

    def __init__(self, message: Descriptor) -> None:
        self.steps = {
            rule.tag: ReadStep(field.name, _reader(field, rule))
            for path, field, rule in placed(message)
            if not path and not field.is_repeated
        }

    def values(self, body: Fields, passed_over: Iterable[int]) -> dict[str, Any]:
        """Return the values of the contract's fields by name.

        Raises:
            Malformed: a value cannot be read, or a field is not known.
        """
        values = dict[str, Any]()
        for tag, text in body.items():
            step = self.steps.get(tag)
            if step is None:
                if tag not in passed_over:
                    raise Malformed(tag, "is not supported here")
            elif step.read is None:
                values[step.name] = text
            else:
                try:
                    values[step.name] = step.read(text)  # type: ignore[arg-type]
                except ValueError as error:
                    raise Malformed(tag, str(error)) from None
        return values


def plans_of(msg_type: str) -> dict[str, WritePlan]:
    """Return the plans of a FIX message by the names of the contract's messages that it carries."""
    message = fix_contract().messages[msg_type]
    rule = message.rule
    grouped = {
        member.tag: tuple(each.tag for each in member.group)
        for member in message.members
        if member.group
    }
    return {
        source.name: WritePlan(
            source, grouped=grouped, without=rule.without, entries_without=rule.entries_without
        )
        for source in source_messages(rule)
    }


def in_order(entry: Fields, begin: tuple[int, ...]) -> Fields:
    """Return an entry of a group with its fields in the order of the dictionary."""
    ordered = Fields({tag: entry[tag] for tag in begin if tag in entry})
    for tag, value in entry.items():
        ordered.setdefault(tag, value)
    return ordered


def _enum_texts(enum: EnumDescriptor) -> dict[int, str]:
    """Return what each number is on the wire; one that this contract does not know, as it is."""
    return _Texts({number: each.value for number, each in enum_values(enum).items()})


class _Texts(dict[int, str]):
    """The texts of an enum's numbers. A venue of a newer release may send new numbers."""

    def __missing__(self, number: int) -> str:
        return str(number)


def _text(field: FieldDescriptor, tag: int) -> Write:
    """Return a step that writes a text."""
    assert field.cpp_type == FieldDescriptor.CPPTYPE_STRING, field.full_name
    name = field.name

    def write(message: Any, fields: Fields) -> None:
        text = getattr(message, name)
        if text:
            fields[tag] = text

    return write


def _is_number(field: FieldDescriptor) -> bool:
    return field.cpp_type in (
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    )


def _conversion(field: FieldDescriptor, value: str, names: dict[str, Any]) -> str:
    """Return the expression that makes the text of a value that is set."""
    if field.enum_type is not None:
        texts = f"texts_{len(names)}"
        names[texts] = _enum_texts(field.enum_type)
        return f"{texts}[{value}]"
    if field.message_type is not None:
        assert field.message_type.full_name == TIMESTAMP, field.full_name
        return f"format_time({value})"
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return f"format_boolean({value})"
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return value
    assert _is_number(field), field.full_name
    return f"str({value})"


def _pair(field: FieldDescriptor, rule: options_pb2.FixRule) -> Write:
    """Return a step that writes one field of the contract as two, or as one of two."""
    name, first, second = field.name, rule.tag, rule.tag + 1

    def write_time(message: Any, fields: Fields) -> None:
        if message.HasField(name):
            fields[first], _, fields[second] = format_time(getattr(message, name)).partition("-")

    def write_signed(message: Any, fields: Fields) -> None:
        text = getattr(message, name)
        if text.startswith("-"):
            fields[second] = text[1:]
        elif text:
            fields[first] = text

    return write_time if rule.form == options_pb2.FIX_FORM_DATE_AND_TIME else write_signed


def _reader(field: FieldDescriptor, rule: options_pb2.FixRule) -> Callable[[str], Any] | None:
    """Return how a value is read, None when it is as it is."""
    if field.enum_type is not None:
        numbers = {each.value: number for number, each in enum_values(field.enum_type).items()}
        if rule.form == options_pb2.FIX_FORM_MULTI_VALUE:
            return lambda text: _one_of(numbers, text)
        return lambda text: _number_of(numbers, text)
    if field.message_type is not None:
        return read_time
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _read_boolean
    if field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
        return _read_integer
    if rule.form in _DECIMALS:
        return _read_decimal
    return None


_DECIMALS: Final = (
    options_pb2.FIX_FORM_PRICE,
    options_pb2.FIX_FORM_QUANTITY,
    options_pb2.FIX_FORM_AMOUNT,
)


def _number_of(numbers: dict[str, int], text: str) -> int:
    number = numbers.get(text)
    if number is None:
        raise ValueError(f"{text} is not supported")
    return number


def _one_of(numbers: dict[str, int], text: str) -> int:
    if " " in text:
        raise ValueError("has instructions that exclude each other")
    return _number_of(numbers, text)


def _read_boolean(text: str) -> bool:
    flag = parse_boolean(text)
    if flag is None:
        raise ValueError("is neither Y nor N")
    return flag


def _read_integer(text: str) -> int:
    number = parse_integer(text)
    if number is None:
        raise ValueError("is no whole number")
    return number


def _read_decimal(text: str) -> str:
    """Return a decimal as the contract has it: FIX also has `.5` and `5.`."""
    if text.startswith("."):
        text = f"0{text}"
    return text.removesuffix(".")
