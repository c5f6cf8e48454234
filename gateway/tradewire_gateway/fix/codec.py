"""Bytes to fields and back: the tag=value encoding, its framing, and the way on after garbage.

A message on the wire is `8=FIX.4.4|9=<length>|35=<type>|...|10=<checksum>|`, where `|` stands for
the byte 01 (SOH). BodyLength(9) counts the bytes after its own SOH up to `10=`, CheckSum(10) is the
sum of all bytes before `10=`, modulo 256, in three digits. The codec writes and checks these and
gives everything between as it stands; what the fields mean is for validation.

What is garbled
FIX says that a garbled message is ignored, as if it had never been sent: the gap in the sequence
numbers will bring it back. Garbled is what does not begin with BeginString(8), BodyLength(9) and
MsgType(35), whose length does not end at a checksum, or whose checksum is wrong. Everything else,
for example a tag that is no number, gets through and is answered with a Reject(3): were it ignored
too, the peer would send it again for ever.

Where decoding goes on
After a wrong checksum: behind the message, since its length was right. After a wrong length: behind
the next `10=` at or after the place that the length points to. So a length that is too short costs
one message, one that is too long costs the message that it runs into, and the contents of a data
field are not taken for a message. A length above the bound is not believed at all, and decoding
goes on at the next `8=FIX.n.n|9=<digits>|`, as it does after bytes that belong to no message.

The decoder never raises, whatever the bytes, and never holds more than a message of the greatest
length beside what was fed at once.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Final, NamedTuple
from zlib import adler32

from tradewire_gateway.fix.message import Fields

SOH: Final = "\x01"
MESSAGE_BYTES_MAX: Final = 64 * 1024

_SOH: Final = 1
_HEAD: Final = re.compile(rb"8=(FIXT?\.[0-9]\.[0-9])\x019=([0-9]{1,9})\x01")
_HEAD_BYTES_MAX: Final = len(b"8=FIXT.1.1\x019=123456789\x01")
_TRAILER: Final = re.compile(rb"10=([0-9]{3})\x01")
_TRAILER_BYTES: Final = len(b"10=123\x01")
# The low half of an Adler-32 is 1 plus the sum of the bytes, modulo 65,521: exact up to this size.
_SUMMED_AT_ONCE: Final = 256

# fmt: off
DATA_FIELDS: Final[Mapping[int, int]] = {
    90: 91, 93: 89, 95: 96, 212: 213, 348: 349, 350: 351, 352: 353, 354: 355, 356: 357, 358: 359,
    360: 361, 362: 363, 364: 365, 445: 446, 618: 619, 621: 622,
}
# fmt: on
"""The lengths of FIX 4.4 and the data fields, which may hold SOH, that follow them."""

_DATA_TAGS: Final = frozenset(DATA_FIELDS.values())


class RawMessage(NamedTuple):
    """The fields of a well-framed message from MsgType(35) up to CheckSum(10), as they came."""

    begin_string: str
    type: str
    tags: tuple[str, ...]
    values: tuple[str, ...]


class Garbled(NamedTuple):
    """Bytes that were skipped, and why."""

    reason: str


def checksum(data: bytes | bytearray) -> int:
    """Return the sum of the bytes modulo 256; with Adler-32, which is far faster than `sum`."""
    total = 0
    for begin in range(0, len(data), _SUMMED_AT_ONCE):
        total += adler32(data[begin : begin + _SUMMED_AT_ONCE]) - 1
    return total & 0xFF


def encode(begin_string: str, content: str) -> bytes:
    """Return the message with this content, which starts with MsgType(35), as it goes on the wire.

    A character that Latin-1 does not have becomes a question mark.
    """
    body = content.encode("latin-1", "replace")
    frame = b"8=%b\x019=%d\x01%b" % (begin_string.encode("latin-1"), len(body), body)
    return b"%b10=%03d\x01" % (frame, checksum(frame))


def encode_fields(fields: Fields, data_tags: Container[int] = _DATA_TAGS) -> str:
    """Return the fields in tag=value form, each ended by SOH; groups with their count.

    Raises:
        ValueError: a value is empty, or holds the separator without being data. Encoded, it would
            read as other fields than were meant.
    """
    # One comprehension: this is most of what sending a report costs.
    text = "".join(
        [
            f"{tag}={value}\x01" if isinstance(value, str) else _encode_group(tag, value, data_tags)
            for tag, value in fields.items()
        ]
    )
    if text.count(SOH) != len(fields) or f"={SOH}" in text:
        _refuse_separators(fields, data_tags)
    return text


def _encode_group(tag: int, entries: list[Fields], data_tags: Container[int]) -> str:
    return f"{tag}={len(entries)}\x01" + "".join(
        [encode_fields(entry, data_tags) for entry in entries]
    )


def _refuse_separators(fields: Fields, data_tags: Container[int]) -> None:
    for tag, value in fields.items():
        if isinstance(value, str):
            if not value:
                raise ValueError(f"tag {tag} has no value")
            if SOH in value and tag not in data_tags:
                raise ValueError(f"tag {tag} holds the separator of fields: {value!r}")


class Decoder:
    """Finds messages in a stream of bytes that arrive in any pieces.

    Args:
        data_fields: the length fields and the data fields that follow them.
        message_bytes_max: the greatest BodyLength(9) that is believed.
    """

    def __init__(
        self,
        data_fields: Mapping[int, int] = DATA_FIELDS,
        *,
        message_bytes_max: int = MESSAGE_BYTES_MAX,
    ) -> None:
        self._data_tags = {str(length): str(data) for length, data in data_fields.items()}
        self._lengths = frozenset(self._data_tags)
        self._message_bytes_max = message_bytes_max
        self._buffer = bytearray()
        self._position = 0
        # Where to look next for the end of a message whose length is wrong.
        self._search: int | None = None

    @property
    def buffered(self) -> int:
        """The number of bytes that no message was found in yet."""
        return len(self._buffer) - self._position

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer; then call `next` until it returns None."""
        self._buffer += data

    def next(self) -> RawMessage | Garbled | None:
        """Return what comes next in the stream, None when more bytes are needed to tell."""
        found = self._next()
        if found is None and self._position:
            del self._buffer[: self._position]
            if self._search is not None:
                self._search -= self._position
            self._position = 0
        return found

    def _next(self) -> RawMessage | Garbled | None:
        head = _HEAD.match(self._buffer, self._position)
        if head is None:
            return self._skip_to_head()
        length, begin = int(head[2]), head.end()
        if length > self._message_bytes_max:
            self._position = begin
            return Garbled(f"BodyLength(9) {length} is above {self._message_bytes_max}")
        end = begin + length
        trailer = _TRAILER.match(self._buffer, end)
        if trailer is None or self._buffer[end - 1] != _SOH:
            return None if self._may_fit(end) else self._skip_to_trailer(begin, end)
        frame = self._buffer[self._position : end]
        self._position = trailer.end()
        if checksum(frame) != int(trailer[1]):
            return Garbled("CheckSum(10) is wrong")
        content = frame[-length:].decode("latin-1") if length else ""
        return self._split(head[1].decode("latin-1"), content)

    def _split(self, begin_string: str, content: str) -> RawMessage | Garbled:
        """Take the content apart at its separators."""
        if not content.startswith("35="):
            return Garbled("MsgType(35) is not the third field")
        parts = [each.partition("=") for each in content[:-1].split(SOH)]
        tags, _, values = zip(*parts, strict=False)
        if not self._lengths.isdisjoint(tags):
            tags, values = self._split_with_data(content)
        return RawMessage(begin_string, values[0], tags, values)

    def _split_with_data(self, content: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Take content apart where a length says how far the next field reaches.

        Where a length does not lead to a separator the field ends at the next one; validation sees
        that length and data do not agree.
        """
        tags, values = list[str](), list[str]()
        position = 0
        while position < len(content):
            end = content.index(SOH, position)
            tag, _, value = content[position:end].partition("=")
            if tags and tag == self._data_tags.get(tags[-1]) and values[-1].isdecimal():
                begin = position + len(tag) + 1
                # More digits than a message can have bytes are not converted.
                announced = begin + int(values[-1][:9])
                if content[announced : announced + 1] == SOH:
                    value, end = content[begin:announced], announced
            tags.append(tag)
            values.append(value)
            position = end + 1
        return tuple(tags), tuple(values)

    def _may_fit(self, end: int) -> bool:
        """Return whether bytes still to come could complete a message that ends there."""
        arrived = bytes(self._buffer[end : end + _TRAILER_BYTES])
        if len(self._buffer) >= end and self._buffer[end - 1] != _SOH:
            return False
        # An ending that is cut off becomes a right one when completed with what is missing.
        return _TRAILER.fullmatch(arrived + b"10=000\x01"[len(arrived) :]) is not None

    def _skip_to_trailer(self, begin: int, end: int) -> Garbled | None:
        """Skip a message of wrong length up to the first checksum after where it should be."""
        search = end - 1 if self._search is None else self._search
        found = self._buffer.find(b"\x0110=", search)
        stop = self._buffer.find(_SOH, found + 1) if found >= 0 else -1
        if stop >= 0:
            self._position, self._search = stop + 1, None
        elif len(self._buffer) - end > self._message_bytes_max:
            # No message ends in all this, so that only the last one to begin may be a good one.
            last = self._buffer.rfind(b"8=FIX", begin)
            rest = len(self._buffer) - _HEAD_BYTES_MAX
            self._position, self._search = (last if last >= 0 else rest), None
        else:
            # The last bytes may be the beginning of what is looked for.
            self._search = found if found >= 0 else max(search, len(self._buffer) - 3)
            return None
        return Garbled("BodyLength(9) is wrong")

    def _skip_to_head(self) -> Garbled | None:
        """Skip bytes that belong to no message, but not those that may begin one."""
        head = _HEAD.search(self._buffer, self._position)
        if head is not None:
            target = head.start()
        else:
            size = len(self._buffer)
            target = self._buffer.find(b"8=", max(self._position, size - _HEAD_BYTES_MAX + 1))
            if target < 0:
                target = size - self._buffer.endswith(b"8")
        if target <= self._position:
            return None
        self._position = target
        return Garbled("bytes outside of a message")
