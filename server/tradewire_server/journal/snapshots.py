"""Snapshot files: written aside, made durable, then named; the newest two are kept.

A snapshot is the way to a quick start and never the only copy of anything: every event is in the
journal. One that is damaged, or that belongs to another history, is passed over. It names the hash
of the batch it stands behind, so it cannot be put under a journal that went another way.
"""

import errno
import logging
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from tradewire_server.journal.chain import HASH_SIZE, digest
from tradewire_server.journal.errors import JournalFull, JournalWriteFailed
from tradewire_server.journal.records import Snapshot

DIRECTORY: Final = "snapshots"
_SUFFIX: Final = ".snapshot"
_UNFINISHED: Final = ".unfinished"
_KEPT: Final = 2

_MAGIC: Final = b"TWSNAP\x00\x01"
_HEADER: Final = struct.Struct("<8s32sQq16sHQ16s")
_CRC: Final = struct.Struct("<I")

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_logger = logging.getLogger(__name__)


class SnapshotDamaged(Exception):
    """A file is no whole snapshot."""


class SnapshotHeader(NamedTuple):
    """What a snapshot says about itself; `chain_hash` is that of the batch it stands behind."""

    journal_id: str
    event_number: int
    time_ns: int
    chain_hash: bytes
    state_hash: bytes
    size: int
    digest: bytes


def _encode_header(header: SnapshotHeader) -> bytes:
    body = _HEADER.pack(
        _MAGIC,
        header.journal_id.encode(),
        header.event_number,
        header.time_ns,
        header.chain_hash,
        len(header.state_hash),
        header.size,
        header.digest,
    )
    body += header.state_hash
    return body + _CRC.pack(zlib.crc32(body))


def _read_header(file: BinaryIO) -> SnapshotHeader:
    fixed = file.read(_HEADER.size)
    if len(fixed) < _HEADER.size or not fixed.startswith(_MAGIC):
        raise SnapshotDamaged("it does not begin as a snapshot")
    _, journal_id, event_number, time_ns, chain_hash, width, size, data_digest = _HEADER.unpack(
        fixed
    )
    rest = file.read(width + _CRC.size)
    state_hash, crc = rest[:width], rest[width:]
    if crc != _CRC.pack(zlib.crc32(fixed + state_hash)):
        raise SnapshotDamaged("the CRC of its header does not match")
    return SnapshotHeader(
        journal_id.rstrip(b"\0").decode(),
        event_number,
        time_ns,
        chain_hash,
        state_hash,
        size,
        data_digest,
    )


def paths(directory: Path) -> list[Path]:
    """Return the snapshots of a data directory, newest first."""
    return sorted((directory / DIRECTORY).glob(f"*{_SUFFIX}"), reverse=True)


def read_header(path: Path) -> SnapshotHeader:
    """Return what a snapshot says about itself.

    Raises `SnapshotDamaged`.
    """
    try:
        with path.open("rb") as file:
            return _read_header(file)
    except OSError as error:
        raise SnapshotDamaged(str(error)) from error


def read(path: Path) -> tuple[SnapshotHeader, Snapshot]:
    """Return a snapshot that is whole.

    Raises `SnapshotDamaged`.
    """
    try:
        with path.open("rb") as file:
            header = _read_header(file)
            data = file.read()
    except OSError as error:
        raise SnapshotDamaged(str(error)) from error
    if len(data) != header.size:
        raise SnapshotDamaged(f"it holds {len(data)} bytes, its header says {header.size}")
    if digest(data) != header.digest:
        raise SnapshotDamaged("the hash of its data does not match")
    return header, Snapshot(header.event_number, header.time_ns, header.state_hash, data)


def whole_headers(directory: Path) -> Iterator[tuple[Path, SnapshotHeader]]:
    """Yield the headers that can be read, newest first; the others are logged."""
    for path in paths(directory):
        try:
            yield path, read_header(path)
        except SnapshotDamaged as error:
            _logger.warning("snapshot %s is passed over: %s", path.name, error)


def write(directory: Path, snapshot: Snapshot, *, journal_id: str, chain_hash: bytes) -> None:
    """Return when the snapshot is durable, and older ones than the newest two are gone.

    Raises `JournalWriteFailed`.
    """
    assert len(chain_hash) == HASH_SIZE, "a chain hash has a fixed size"
    header = SnapshotHeader(
        journal_id,
        snapshot.event_number,
        snapshot.time_ns,
        chain_hash,
        snapshot.state_hash,
        len(snapshot.data),
        digest(snapshot.data),
    )
    folder = directory / DIRECTORY
    path = folder / f"{snapshot.event_number:020d}{_SUFFIX}"
    unfinished = path.with_suffix(_UNFINISHED)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(_encode_header(header))
            file.write(snapshot.data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        sync_directory(folder)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        kind = JournalFull if error.errno in _NO_ROOM else JournalWriteFailed
        raise kind(f"the snapshot of event {snapshot.event_number}: {error}") from error
    for old in paths(directory)[_KEPT:]:
        old.unlink(missing_ok=True)


def remove_unfinished(directory: Path) -> None:
    """Remove what a crash left of snapshots that were being written."""
    for path in (directory / DIRECTORY).glob(f"*{_UNFINISHED}"):
        path.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
