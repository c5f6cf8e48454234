"""Feeds: gapless numbered sequences of public messages, and the chunks in which they are stored and
sent.

A feed is named by its kind and a key (an account or a symbol) and numbers its entries 1, 2, 3, ...
without a gap. A chunk holds consecutive entries. Its bytes are length-delimited protobuf entries of
field 1 (0x0A, varint length, message), so that chunks joined end to end are themselves a valid
serialised message of the form `{repeated X items = 1;}`: what was encoded once is stored, replayed
and sent without being parsed.

The journal and the streams both import this module, and never each other.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

_FIELD_1 = 0x0A  # field 1, wire type 2: length-delimited
_VARINT_BYTES_MAX = 10


class FeedKind(enum.IntEnum):
    """Which sequence; the values are stored in journals and never reused."""

    EXECUTIONS = 1
    """Per account."""
    LEDGER = 2
    """Per account."""
    TRADES = 3
    """Per symbol."""


class FeedChunk(NamedTuple):
    """Entries `first` to `last` of a feed, both included."""

    kind: FeedKind
    key: str
    first: int
    last: int
    data: bytes


class EntriesError(ValueError):
    """Bytes that are not a sequence of entries, or not as many as was said."""


def wrap(message: bytes) -> bytes:
    """Make one entry of a serialised message."""
    length = len(message)
    if length < 0x80:
        return bytes((_FIELD_1, length)) + message
    head = bytearray((_FIELD_1,))
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + message


def split(data: bytes) -> list[bytes]:
    """Take entries apart into their serialised messages.

    Raises:
        EntriesError: the bytes are not whole entries.
    """
    messages = []
    position = 0
    while position < len(data):
        start, end = _bounds(data, position)
        messages.append(data[start:end])
        position = end
    return messages


def cut(data: bytes, first: int, after: int) -> bytes:
    """Drop the entries with a number of at most `after` from entries that begin with number
    `first`.

    Raises:
        EntriesError: the bytes are not whole entries, or fewer than are to be dropped.
    """
    position = 0
    for _ in range(first, after + 1):
        _, position = _bounds(data, position)
    return data[position:] if position else data


def rest(chunk: FeedChunk, *, after: int) -> FeedChunk:
    """Return the part of a chunk after a number, which lies within it or before it."""
    if after < chunk.first:
        return chunk
    return chunk._replace(first=after + 1, data=cut(chunk.data, chunk.first, after))


def divide(chunk: FeedChunk, *, bytes_max: int) -> list[FeedChunk]:
    """Divide a chunk into consecutive ones of at most `bytes_max` bytes, or of one longer entry."""
    data = chunk.data
    if len(data) <= bytes_max:
        return [chunk]
    pieces = []
    first, begin, position = chunk.first, 0, 0
    for number in range(chunk.first, chunk.last + 1):
        _, end = _bounds(data, position)
        if end - begin > bytes_max and position > begin:
            pieces.append(FeedChunk(chunk.kind, chunk.key, first, number - 1, data[begin:position]))
            first, begin = number, position
        position = end
    pieces.append(FeedChunk(chunk.kind, chunk.key, first, chunk.last, data[begin:]))
    return pieces


def _bounds(data: bytes, position: int) -> tuple[int, int]:
    """Find where the message of the entry at `position` begins and ends."""
    try:
        if data[position] != _FIELD_1:
            raise EntriesError(f"byte {position}: expected an entry of field 1")
        length = shift = 0
        for start in range(position + 1, position + 1 + _VARINT_BYTES_MAX):
            byte = data[start]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        else:
            raise EntriesError(f"byte {position}: length is too long")
    except IndexError:
        raise EntriesError(f"byte {position}: entry is cut off") from None
    end = start + 1 + length
    if end > len(data):
        raise EntriesError(f"byte {position}: entry is cut off")
    return start + 1, end
