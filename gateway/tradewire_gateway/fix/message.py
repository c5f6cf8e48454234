"""Messages of FIX as values: header, body and trailer, each an ordered map of fields.

A field maps its tag to its text, a repeating group maps the tag of its count, such as
NoPartyIDs(453), to its entries, which are maps again:

    Fields({11: "A-1", 453: [Fields({448: "X", 452: "1"}), Fields({448: "Y", 452: "3"})]})

Order is kept, the count is the number of entries, and a tag cannot occur twice: what could be
wrong on the wire and not here was found by validation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from tradewire_gateway.fix import values

T = TypeVar("T")


class Fields(dict[int, "str | list[Fields]"]):
    """Fields in order, by tag, with typed access.

    Reading an absent field gives None, and ValueError when the text is not of the asked type,
    which cannot happen where the dictionary says that type.
    """

    __slots__ = ()

    def text(self, tag: int) -> str | None:
        value = self.get(tag)
        if isinstance(value, list):
            raise ValueError(f"tag {tag} is a repeating group")
        return value

    def integer(self, tag: int) -> int | None:
        return self._read(tag, values.parse_integer)

    def decimal(self, tag: int) -> Decimal | None:
        return self._read(tag, values.parse_decimal)

    def timestamp(self, tag: int) -> int | None:
        """Return a UTC timestamp in nanoseconds since 1970."""
        return self._read(tag, values.parse_utc_timestamp)

    def flag(self, tag: int) -> bool:
        """Return whether a Y/N field is Y; an absent one counts as N."""
        return bool(self._read(tag, values.parse_boolean))

    def data(self, tag: int) -> bytes | None:
        """Return the bytes of a data field."""
        value = self.text(tag)
        return None if value is None else value.encode("latin-1")

    def group(self, tag: int) -> list[Fields]:
        """Return the entries of the repeating group with this count; none when it is absent."""
        value = self.get(tag, [])
        if isinstance(value, str):
            raise ValueError(f"tag {tag} is no repeating group")
        return value

    def _read(self, tag: int, parse: Callable[[str], T | None]) -> T | None:
        text = self.text(tag)
        if text is None:
            return None
        value = parse(text)
        if value is None:
            raise ValueError(f"tag {tag}: {text!r} is not of the type that is asked for")
        return value


@dataclass(slots=True)
class Message:
    """A message whose fields are in order; BeginString, BodyLength and CheckSum are the codec's."""

    type: str
    """MsgType(35), which the header repeats when the message came over the wire."""
    header: Fields = field(default_factory=Fields)
    body: Fields = field(default_factory=Fields)
    trailer: Fields | None = None
    """What stands between body and checksum, which is a Signature(89) or nothing."""
