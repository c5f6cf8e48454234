"""The data dictionary: which fields, groups and messages exist, and what is required where.

A dictionary is data alone: it is read from a QuickFIX file (`quickfix_xml`) or built from the
contract, and used by the codec (data fields), by validation and by documents. Components are
resolved by whoever builds it; a section lists its fields in the order that the specification has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from tradewire_gateway.fix.values import DataType


@dataclass(frozen=True, slots=True)
class Field:
    """A field as defined for all messages."""

    tag: int
    name: str
    type: DataType
    values: dict[str, str] = field(default_factory=dict)
    """The allowed values and what they are called; none means that any value is allowed."""


@dataclass(frozen=True, slots=True)
class Member:
    """A field where it occurs in a section, with the group that it counts, if it does."""

    field: Field
    required: bool = False
    group: Section | None = None


class Section:
    """The members of a header, a body, a trailer or one entry of a group, in order."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self.members = {member.field.tag: member for member in members}
        self.required = tuple(tag for tag, member in self.members.items() if member.required)

    @property
    def delimiter(self) -> int:
        """The tag with which each entry of a group begins."""
        return next(iter(self.members))

    def walk(self) -> Iterator[Section]:
        """Yield this section and those of all groups in it."""
        yield self
        for member in self.members.values():
            if member.group is not None:
                yield from member.group.walk()


@dataclass(frozen=True, slots=True)
class MessageDefinition:
    """A message: its MsgType(35), its name, and what its body holds."""

    type: str
    name: str
    body: Section
    is_admin: bool = False


@dataclass(frozen=True)
class Dictionary:
    """All that may be said in a version of FIX, or in a venue's part of it."""

    begin_string: str
    fields: dict[int, Field]
    header: Section
    trailer: Section
    messages: dict[str, MessageDefinition]
    unsupported: frozenset[str] = frozenset()
    """MsgTypes that exist, but not here: answered by BusinessMessageReject(j), not by Reject(3)."""

    @cached_property
    def data_fields(self) -> dict[int, int]:
        """Map each length, e.g. RawDataLength(95), to the data field that follows it."""
        pairs = dict[int, int]()
        roots = [self.header, self.trailer, *(each.body for each in self.messages.values())]
        for section in (part for root in roots for part in root.walk()):
            fields = [member.field for member in section.members.values()]
            for length, data in pairwise(fields):
                if length.type is DataType.LENGTH and data.type is DataType.DATA:
                    pairs[length.tag] = data.tag
        return pairs
