"""Validation of messages against a dictionary: the fields in order, or the reason to reject them.

Two questions are asked, because their answers live differently long:

- *structure*: may these tags stand in this order in this type of message? The answer depends on
  the tags alone. A client sends the same few sequences of tags again and again, so the answers, a
  `_Layout` each, are kept; the number and the size of what is kept are bounded.
- *values*: is each value there, of its type, one of those allowed, and are counts and lengths
  true? Asked for each message, along the list of checks that the layout has prepared.

A message that fails says what of it is wrong by the codes of SessionRejectReason(373); the first
thing found is reported, structure before values, and before both a value that is too long. Fields
within an entry of a repeating group must stand in the order of the dictionary, as FIX demands;
elsewhere their order is free. A field stands in a group or beside it, never both: so it is in FIX
4.4, and so the end of a group is known.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from tradewire_gateway.fix.codec import RawMessage
from tradewire_gateway.fix.dictionary import Dictionary, Field, Section
from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.values import FORMATS, DataType, parse_integer

_LAYOUTS_MAX: Final = 256
_LAYOUT_TAGS_MAX: Final = 128
VALUE_CHARACTERS_MAX: Final = 1024
"""Length of a value that is no data: answers repeat ids, some of them many times."""
# The codec writes and checks these, so that they never stand among a message's tags.
_ENVELOPE: Final = frozenset({8, 9, 10})


class SessionRejectReason(IntEnum):
    """SessionRejectReason(373): why a message was not accepted."""

    INVALID_TAG_NUMBER = 0
    REQUIRED_TAG_MISSING = 1
    TAG_NOT_DEFINED_FOR_MESSAGE_TYPE = 2
    UNDEFINED_TAG = 3
    TAG_WITHOUT_VALUE = 4
    VALUE_INCORRECT = 5
    INCORRECT_DATA_FORMAT = 6
    DECRYPTION_PROBLEM = 7
    SIGNATURE_PROBLEM = 8
    COMP_ID_PROBLEM = 9
    SENDING_TIME_ACCURACY_PROBLEM = 10
    INVALID_MSG_TYPE = 11
    XML_VALIDATION_ERROR = 12
    TAG_APPEARS_MORE_THAN_ONCE = 13
    TAG_OUT_OF_ORDER = 14
    GROUP_FIELDS_OUT_OF_ORDER = 15
    INCORRECT_GROUP_COUNT = 16
    VALUE_CONTAINS_DELIMITER = 17
    OTHER = 99

    @property
    def text(self) -> str:
        """The words that QuickFIX and its kin send in Text(58)."""
        return _TEXTS[self]


_TEXTS: Final = {
    SessionRejectReason.INVALID_TAG_NUMBER: "Invalid tag number",
    SessionRejectReason.REQUIRED_TAG_MISSING: "Required tag missing",
    SessionRejectReason.TAG_NOT_DEFINED_FOR_MESSAGE_TYPE: "Tag not defined for this message type",
    SessionRejectReason.UNDEFINED_TAG: "Undefined tag",
    SessionRejectReason.TAG_WITHOUT_VALUE: "Tag specified without a value",
    SessionRejectReason.VALUE_INCORRECT: "Value is incorrect (out of range) for this tag",
    SessionRejectReason.INCORRECT_DATA_FORMAT: "Incorrect data format for value",
    SessionRejectReason.DECRYPTION_PROBLEM: "Decryption problem",
    SessionRejectReason.SIGNATURE_PROBLEM: "Signature problem",
    SessionRejectReason.COMP_ID_PROBLEM: "CompID problem",
    SessionRejectReason.SENDING_TIME_ACCURACY_PROBLEM: "SendingTime accuracy problem",
    SessionRejectReason.INVALID_MSG_TYPE: "Invalid MsgType",
    SessionRejectReason.XML_VALIDATION_ERROR: "XML validation error",
    SessionRejectReason.TAG_APPEARS_MORE_THAN_ONCE: "Tag appears more than once",
    SessionRejectReason.TAG_OUT_OF_ORDER: "Tag specified out of required order",
    SessionRejectReason.GROUP_FIELDS_OUT_OF_ORDER: "Repeating group fields out of order",
    SessionRejectReason.INCORRECT_GROUP_COUNT: "Incorrect NumInGroup count for repeating group",
    SessionRejectReason.VALUE_CONTAINS_DELIMITER: "Non-data value includes field delimiter",
    SessionRejectReason.OTHER: "Other",
}


class Rejection(NamedTuple):
    """What is wrong with a message, in the terms of Reject(3)."""

    reason: SessionRejectReason
    tag: int | None = None
    """RefTagID(371), where a single field is to blame."""


class Invalid(NamedTuple):
    """A message that is not accepted, with as much of its header as could be read."""

    type: str
    header: Fields
    rejection: Rejection


class Unsupported(NamedTuple):
    """A message of a type that FIX has and this dictionary leaves out."""

    type: str
    header: Fields


Verdict = Message | Invalid | Unsupported


class Validator:
    """Turns raw messages into messages, or says why they are none."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._tags = {str(tag): tag for tag in dictionary.fields}
        self._data_tags = frozenset(map(str, dictionary.data_fields.values()))
        self._layouts = dict[tuple[str, tuple[str, ...]], _Layout]()

    @property
    def dictionary(self) -> Dictionary:
        return self._dictionary

    def validate(self, raw: RawMessage) -> Verdict:
        """Return the message, or what is wrong with it."""
        if max(map(len, raw.values)) > VALUE_CHARACTERS_MAX:
            too_long = self._too_long(raw)
            if too_long is not None:
                return too_long
        layout = self._layout(raw.type, raw.tags)
        if layout is None:
            return Unsupported(raw.type, self._header(raw))
        rejection = layout.rejection or layout.check(raw.values)
        if rejection is not None:
            return Invalid(raw.type, self._header(raw), rejection)
        return layout.build(raw.type, raw.values)

    def _layout(self, msg_type: str, tags: tuple[str, ...]) -> _Layout | None:
        key = (msg_type, tags)
        layout = self._layouts.get(key)
        if layout is not None:
            return layout
        if msg_type in self._dictionary.unsupported:
            return None
        layout = self._find_layout(msg_type, tags)
        # Whoever sends ever new sequences of tags gains nothing by it and costs nobody memory.
        if layout.rejection is None and len(tags) <= _LAYOUT_TAGS_MAX:
            if len(self._layouts) >= _LAYOUTS_MAX:
                self._layouts.clear()
            self._layouts[msg_type, tuple(map(sys.intern, tags))] = layout
        return layout

    def _find_layout(self, msg_type: str, tags: tuple[str, ...]) -> _Layout:
        dictionary = self._dictionary
        definition = dictionary.messages.get(msg_type)
        if definition is None:
            without_value = Rejection(SessionRejectReason.TAG_WITHOUT_VALUE, 35)
            unknown = Rejection(SessionRejectReason.INVALID_MSG_TYPE)
            return _Layout(rejection=unknown if msg_type else without_value)
        numbers = list[int]()
        for text in tags:
            tag = self._tags.get(text)
            if tag is None:
                return _Layout(
                    rejection=Rejection(SessionRejectReason.INVALID_TAG_NUMBER, parse_integer(text))
                )
            numbers.append(tag)
        structure = _Structure(numbers, dictionary.data_fields)
        try:
            return structure.layout(dictionary.header, definition.body, dictionary.trailer)
        except _StructureError as error:
            return _Layout(rejection=error.rejection)

    def _too_long(self, raw: RawMessage) -> Invalid | None:
        """Return what to say about a message with a value that is too long."""
        if len(raw.type) > VALUE_CHARACTERS_MAX:
            unknown = Rejection(SessionRejectReason.INVALID_MSG_TYPE)
            return Invalid("", self._header(raw), unknown)
        for text, value in zip(raw.tags, raw.values, strict=True):
            if len(value) > VALUE_CHARACTERS_MAX and text not in self._data_tags:
                tag = self._tags.get(text)
                reason = (
                    SessionRejectReason.INVALID_TAG_NUMBER
                    if tag is None
                    else SessionRejectReason.VALUE_INCORRECT
                )
                return Invalid(raw.type, self._header(raw), Rejection(reason, tag))
        return None

    def _header(self, raw: RawMessage) -> Fields:
        """Return the header's fields of a message that is not valid, wherever they stand."""
        header = Fields()
        for text, value in zip(raw.tags, raw.values, strict=True):
            tag = self._tags.get(text)
            if (
                tag in self._dictionary.header.members
                and tag is not None
                and len(value) <= VALUE_CHARACTERS_MAX
            ):
                header.setdefault(tag, value)
        return header


class _Node(NamedTuple):
    """A field in a layout: its tag, the place of its value, and the entries that it counts."""

    tag: int
    place: int
    entries: list[list[_Node]] | None = None


class _Part(NamedTuple):
    """The header, body or trailer of a layout."""

    begin: int
    nodes: list[_Node]
    tags: tuple[int, ...] | None
    """The tags alone where there is no group: then the values from begin on belong to them."""

    def fields(self, values: tuple[str, ...]) -> Fields:
        if self.tags is not None:
            return Fields(zip(self.tags, values[self.begin :], strict=False))
        return _tree(self.nodes, values)


def _tree(nodes: list[_Node], values: tuple[str, ...]) -> Fields:
    fields = Fields()
    for tag, place, entries in nodes:
        if entries is None:
            fields[tag] = values[place]
        else:
            fields[tag] = [_tree(entry, values) for entry in entries]
    return fields


_EMPTY: Final = _Part(0, [], ())


@dataclass(slots=True)
class _Layout:
    """What is known about a sequence of tags in a type of message."""

    rejection: Rejection | None = None
    tags: tuple[int, ...] = ()
    header: _Part = _EMPTY
    body: _Part = _EMPTY
    trailer: _Part = _EMPTY
    checks: list[tuple[int, Callable[[str], object], Field]] = field(default_factory=list)
    """The places of values, and what those must satisfy."""
    counts: list[tuple[int, int]] = field(default_factory=list)
    """The places of the counts of groups, and the number of entries that follow."""
    lengths: list[int] = field(default_factory=list)
    """The places of lengths; the data stands behind."""

    def check(self, values: tuple[str, ...]) -> Rejection | None:
        """Return what is wrong with the values, None when they are right."""
        if "" in values:
            return Rejection(SessionRejectReason.TAG_WITHOUT_VALUE, self.tags[values.index("")])
        for index, accepts, definition in self.checks:
            if not accepts(values[index]):
                return Rejection(_reason(definition, values[index]), definition.tag)
        for index, count in self.counts:
            if int(values[index]) != count:
                return Rejection(SessionRejectReason.INCORRECT_GROUP_COUNT, self.tags[index])
        for index in self.lengths:
            if int(values[index]) != len(values[index + 1]):
                return Rejection(SessionRejectReason.VALUE_INCORRECT, self.tags[index])
        return None

    def build(self, msg_type: str, values: tuple[str, ...]) -> Message:
        """Return the message that has these values."""
        return Message(
            msg_type,
            self.header.fields(values),
            self.body.fields(values),
            self.trailer.fields(values) if self.trailer.nodes else None,
        )


class _StructureError(Exception):
    """The tags do not fit the dictionary."""

    def __init__(self, reason: SessionRejectReason, tag: int) -> None:
        self.rejection = Rejection(reason, tag)


class _Structure:
    """Reads a sequence of tags from left to right, once."""

    def __init__(self, tags: list[int], data_fields: Mapping[int, int]) -> None:
        self._tags = tags
        self._data_fields = data_fields
        self._position = 0
        self._layout = _Layout(tags=tuple(tags))

    def layout(self, header: Section, body: Section, trailer: Section) -> _Layout:
        """Return the layout of the tags.

        Raises:
            _StructureError: they do not fit these sections.
        """
        layout = self._layout
        layout.header = self._part(header)
        layout.body = self._part(body)
        layout.trailer = self._part(trailer)
        if self._position < len(self._tags):
            raise self._misplaced(header, body, trailer)
        for section, part in (
            (header, layout.header),
            (body, layout.body),
            (trailer, layout.trailer),
        ):
            _require(section, part.nodes)
        self._pair_lengths()
        return layout

    def _next(self) -> int | None:
        return self._tags[self._position] if self._position < len(self._tags) else None

    def _misplaced(self, header: Section, body: Section, trailer: Section) -> _StructureError:
        """Return why the tag at which reading stopped belongs to no section from there on."""
        tag = self._tags[self._position]
        if not any(tag in section.members for section in (header, body, trailer)):
            return _StructureError(SessionRejectReason.TAG_NOT_DEFINED_FOR_MESSAGE_TYPE, tag)
        if tag in self._tags[: self._position]:
            return _StructureError(SessionRejectReason.TAG_APPEARS_MORE_THAN_ONCE, tag)
        return _StructureError(SessionRejectReason.TAG_OUT_OF_ORDER, tag)

    def _part(self, section: Section) -> _Part:
        """Read the fields of a section, in any order."""
        begin, nodes, seen = self._position, list[_Node](), set[int]()
        while (tag := self._next()) is not None and tag in section.members:
            if tag in seen:
                raise _StructureError(SessionRejectReason.TAG_APPEARS_MORE_THAN_ONCE, tag)
            seen.add(tag)
            nodes.append(self._node(tag, section))
        flat = all(node.entries is None for node in nodes)
        tags = tuple(node.tag for node in nodes) if flat else None
        return _Part(begin, nodes, tags)

    def _node(self, tag: int, section: Section) -> _Node:
        """Read a field of a section, with the group that it counts."""
        index, member = self._position, section.members[tag]
        self._position += 1
        if member.group is None:
            if (accepts := _acceptance(member.field)) is not None:
                self._layout.checks.append((index, accepts, member.field))
            return _Node(tag, index)
        # Whatever type the dictionary gives the field: the count must be countable.
        self._layout.checks.append((index, FORMATS[DataType.NUMINGROUP], member.field))
        entries = list[list[_Node]]()
        while self._next() == member.group.delimiter:
            entries.append(self._entry(member.group))
        self._layout.counts.append((index, len(entries)))
        if not entries and self._next() in member.group.members:
            # The delimiter, with which each entry begins, is missing.
            raise _StructureError(SessionRejectReason.GROUP_FIELDS_OUT_OF_ORDER, self._tags[index])
        return _Node(tag, index, entries)

    def _entry(self, group: Section) -> list[_Node]:
        """Read one entry of a group: its fields in the order of the dictionary."""
        nodes, order = list[_Node](), list(group.members)
        last = -1
        while (tag := self._next()) is not None and tag in group.members:
            if nodes and tag == group.delimiter:
                break
            rank = order.index(tag)
            if rank <= last:
                raise _StructureError(
                    SessionRejectReason.TAG_APPEARS_MORE_THAN_ONCE
                    if tag in [node.tag for node in nodes]
                    else SessionRejectReason.GROUP_FIELDS_OUT_OF_ORDER,
                    tag,
                )
            last = rank
            nodes.append(self._node(tag, group))
        _require(group, nodes)
        return nodes

    def _pair_lengths(self) -> None:
        """Find lengths and their data, which must stand together."""
        lengths = {data: length for length, data in self._data_fields.items()}
        for index, tag in enumerate(self._tags):
            if tag in self._data_fields:
                if self._tags[index + 1 : index + 2] != [self._data_fields[tag]]:
                    raise _StructureError(
                        SessionRejectReason.REQUIRED_TAG_MISSING, self._data_fields[tag]
                    )
                self._layout.lengths.append(index)
            elif tag in lengths and self._tags[index - 1] != lengths[tag]:
                raise _StructureError(SessionRejectReason.REQUIRED_TAG_MISSING, lengths[tag])


def _require(section: Section, nodes: list[_Node]) -> None:
    present = {node.tag for node in nodes} | _ENVELOPE
    for tag in section.required:
        if tag not in present:
            raise _StructureError(SessionRejectReason.REQUIRED_TAG_MISSING, tag)


def _acceptance(definition: Field) -> Callable[[str], object] | None:
    """Return what a value of the field must satisfy, None when any will do."""
    if definition.tag == 35:
        # The message was found by it.
        return None
    if not definition.values:
        return FORMATS.get(definition.type)
    if definition.type is DataType.MULTIPLEVALUESTRING:
        return lambda value: definition.values.keys() >= set(value.split(" "))
    return definition.values.__contains__


def _reason(definition: Field, value: str) -> SessionRejectReason:
    """Return what is wrong with a value that is not accepted."""
    is_format_right = FORMATS.get(definition.type, bool)
    if definition.values and is_format_right(value):
        return SessionRejectReason.VALUE_INCORRECT
    return SessionRejectReason.INCORRECT_DATA_FORMAT
