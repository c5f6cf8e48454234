"""Feeds: gapless numbered sequences of public messages, stored and sent in chunks.

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

TAG = 0x0A
"""Field 1, wire type 2: length-delimited."""
# A varint of a length below 2**35; nothing longer is ever stored.
_LENGTH_BYTES_MAX = 5


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


class EntriesMalformed(ValueError):
    """Bytes are not a run of entries; `offset` says from where on."""

    def __init__(self, offset: int, finding: str) -> None:
        super().__init__(f"offset {offset}: {finding}")
        self.offset = offset


def _head(length: int) -> bytes:
    """Return what stands before a message of so many bytes."""
    head = bytearray((TAG,))
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head)


# Of the lengths that an execution can have.
_HEADS = [_head(length) for length in range(1 << 10)]


def wrap(message: bytes) -> bytes:
    """Return the message as one entry."""
    length = len(message)
    return (_HEADS[length] if length < len(_HEADS) else _head(length)) + message


def split(data: bytes) -> list[bytes]:
    """Return the messages of all entries.

    Raises `EntriesMalformed`.
    """
    messages = []
    offset, size = 0, len(data)
    while offset < size:
        start, end = _body(data, offset)
        messages.append(data[start:end])
        offset = end
    return messages


def count(data: bytes) -> int:
    """Return how many entries there are.

    Raises `EntriesMalformed`.
    """
    entries = offset = 0
    size = len(data)
    while offset < size:
        _, offset = _body(data, offset)
        entries += 1
    return entries


def cut(data: bytes, first: int, after: int) -> bytes:
    """Drop the entries numbered up to `after` from data whose first entry is `first`.

    Raises `EntriesMalformed`.
    """
    if after < first:
        return data
    offset, size = 0, len(data)
    for _ in range(after - first + 1):
        if offset >= size:
            break
        _, offset = _body(data, offset)
    return data[offset:]


def take(data: bytes, max_bytes: int) -> tuple[bytes, int]:
    """Return as many leading entries as fit, but at least one, and how many they are.

    Raises `EntriesMalformed`.
    """
    entries = offset = 0
    size = len(data)
    while offset < size:
        _, end = _body(data, offset)
        if entries and end > max_bytes:
            break
        entries += 1
        offset = end
    return data[:offset], entries


def rest(chunk: FeedChunk, *, after: int) -> FeedChunk:
    """Return the part of a chunk after a number, which lies within it or before it.

    Raises `EntriesMalformed`.
    """
    if after < chunk.first:
        return chunk
    return chunk._replace(first=after + 1, data=cut(chunk.data, chunk.first, after))


def divide(chunk: FeedChunk, *, bytes_max: int) -> list[FeedChunk]:
    """Divide a chunk into consecutive ones of at most `bytes_max` bytes, or of one longer entry.

    Raises `EntriesMalformed`.
    """
    data = chunk.data
    if len(data) <= bytes_max:
        return [chunk]
    pieces = []
    first, begin, position = chunk.first, 0, 0
    for number in range(chunk.first, chunk.last + 1):
        _, end = _body(data, position)
        if end - begin > bytes_max and position > begin:
            pieces.append(FeedChunk(chunk.kind, chunk.key, first, number - 1, data[begin:position]))
            first, begin = number, position
        position = end
    pieces.append(FeedChunk(chunk.kind, chunk.key, first, chunk.last, data[begin:]))
    return pieces


def _body(data: bytes, offset: int) -> tuple[int, int]:
    """Return where the message of the entry at `offset` starts and ends."""
    size = len(data)
    if offset >= size:
        raise EntriesMalformed(offset, "expected an entry, found the end")
    if data[offset] != TAG:
        raise EntriesMalformed(offset, f"expected an entry, found the byte 0x{data[offset]:02x}")
    length = shift = 0
    position = offset + 1
    while position < size:
        byte = data[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift == 7 * _LENGTH_BYTES_MAX:
            raise EntriesMalformed(offset, "the length does not end")
    else:
        raise EntriesMalformed(offset, "the data ends within a length")
    end = position + length
    if end > size:
        raise EntriesMalformed(offset, f"a message of {length} bytes has {size - position} left")
    return position, end
