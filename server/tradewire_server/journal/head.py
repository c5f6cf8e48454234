"""The head file: how far the journal was acknowledged, kept apart from the database.

SQLite drops whatever follows a damaged frame of its write-ahead log, without a word and whether or
not it was acknowledged. So after each commit the last event and its hash are written here, and a
database that ends before its head refuses to open.

Two slots, half a page apart, are written in turn: a torn write spoils the older one at most, and
the one that reaches further counts. There is no fsync per commit. The kernel keeps a finished
`pwrite` through any crash of the process, so the head is exact there. After a loss of power it may
be older than the database, never newer, because it is written after the commit; then it proves
less, and proves it still.
"""

import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

FILE_NAME = "head"

_SLOT = struct.Struct("<8sQ16s32s")
_CRC = struct.Struct("<I")
_SLOT_SIZE = _SLOT.size + _CRC.size
_SLOT_OFFSETS = (0, 2048)
_MAGIC = b"TWHEAD\x00\x01"


class Head(NamedTuple):
    """The end of what was acknowledged."""

    last_event: int
    hash: bytes
    journal_id: str


def _encode(head: Head) -> bytes:
    body = _SLOT.pack(_MAGIC, head.last_event, head.hash, head.journal_id.encode())
    return body + _CRC.pack(zlib.crc32(body))


def _decode(slot: bytes) -> Head | None:
    if len(slot) != _SLOT_SIZE:
        return None
    body, (crc,) = slot[: _SLOT.size], _CRC.unpack_from(slot, _SLOT.size)
    if zlib.crc32(body) != crc:
        return None
    magic, last_event, digest, journal_id = _SLOT.unpack(body)
    if magic != _MAGIC:
        return None
    return Head(last_event, digest, journal_id.rstrip(b"\0").decode())


def read(directory: Path) -> Head | None:
    """Return what the head file records, None if it is absent or has no whole slot."""
    try:
        data = (directory / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    slots = [_decode(data[offset : offset + _SLOT_SIZE]) for offset in _SLOT_OFFSETS]
    return max((head for head in slots if head is not None), default=None)


class HeadFile:
    """The head file, open for writing."""

    def __init__(self, directory: Path, head: Head) -> None:
        """Record `head` in both slots and wait until it is on the disk: this is not per commit."""
        self._fd = os.open(directory / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._journal_id = head.journal_id
        self._slot = 0
        # One slot after the other, each durable before the next: power may go at any point.
        for _ in _SLOT_OFFSETS:
            self.record(head.last_event, head.hash)
            os.fsync(self._fd)

    def record(self, last_event: int, digest: bytes) -> None:
        """Note that everything up to `last_event` is durable."""
        self._slot ^= 1
        slot = _encode(Head(last_event, digest, self._journal_id))
        os.pwrite(self._fd, slot, _SLOT_OFFSETS[self._slot])

    def close(self) -> None:
        """Give the file back, with the head on the disk."""
        os.fsync(self._fd)
        os.close(self._fd)
