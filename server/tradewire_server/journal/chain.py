"""The hash chain of the batches: what each batch proves, and how that is checked.

    hash = blake2b-128(previous hash, header, payload, chunks hash)

The header holds the event numbers, time, epoch and length of the payload. The chunks hash covers
the *annex*: a list of the batch's feed chunks with a digest of each, its client ids and its closed
orders. So the newest hash vouches for every event, execution, ledger entry and client id of the
journal; and what is looked up elsewhere can be compared with the annex, or made again from it.

The chain starts at a hash of the journal's id: a batch of another journal never fits. The CRC of
each row tells damage in place (CRC and hash fail) from a row that was replaced or removed (only
the chain fails).
"""

import struct
import zlib
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from tradewire_server.feeds import FeedChunk, FeedKind
from tradewire_server.journal.errors import JournalDamaged
from tradewire_server.journal.records import (
    Batch,
    ClientIdRow,
    ClosedOrderRow,
)

HASH_SIZE = 16

_HEADER = struct.Struct("<QQqQI")


class ChunkDigest(NamedTuple):
    """What the annex says about a feed chunk."""

    kind: FeedKind
    key: str
    first: int
    last: int
    digest: bytes


class Annex(NamedTuple):
    """What a batch holds beside its events. Fields are appended with a default, never removed."""

    chunks: list[ChunkDigest]
    client_ids: list[ClientIdRow]
    closed_orders: list[ClosedOrderRow]


class BatchRow(NamedTuple):
    """A row of the table of batches, in the order of its columns; the annex is read apart."""

    first_event: int
    last_event: int
    time_ns: int
    epoch: int
    crc: int
    previous_hash: bytes
    hash: bytes
    chunks_hash: bytes
    payload: bytes

    @property
    def place(self) -> str:
        """Name the row in an error."""
        return f"batch of events {self.first_event} to {self.last_event}"


_annex_encoder = msgspec.msgpack.Encoder()
_annex_decoder = msgspec.msgpack.Decoder(Annex)


def genesis(journal_id: str) -> bytes:
    """Return the hash before the first batch."""
    return blake2b(journal_id.encode(), digest_size=HASH_SIZE, person=b"tradewire chain").digest()


def digest(data: bytes) -> bytes:
    """Return the hash of an annex or of the data of a chunk."""
    return blake2b(data, digest_size=HASH_SIZE).digest()


def chunk_crc(kind: int, key: str, *, first: int, last: int, data: bytes) -> int:
    """Return the CRC of a chunk's row."""
    return zlib.crc32(data, zlib.crc32(f"{kind} {first} {last} {key}".encode()))


def encode_annex(batch: Batch) -> bytes:
    """Return the annex of a batch."""
    chunks = [
        (kind, key, first, last, digest(data)) for kind, key, first, last, data in batch.chunks
    ]
    return _annex_encoder.encode((chunks, batch.client_ids, batch.closed_orders))


def decode_annex(data: bytes, place: str) -> Annex:
    """Return the annex.

    Raises `JournalDamaged`.
    """
    try:
        return _annex_decoder.decode(data)
    except (msgspec.DecodeError, TypeError) as error:
        raise JournalDamaged(place, f"the annex cannot be read: {error}") from error


def seal(batch: Batch, *, epoch: int, previous_hash: bytes, chunks_hash: bytes) -> BatchRow:
    """Return the row of a batch that continues the chain at `previous_hash`."""
    first_event, last_event, time_ns, payload = batch[:4]
    header = _HEADER.pack(first_event, last_event, time_ns, epoch, len(payload))
    return BatchRow(
        first_event,
        last_event,
        time_ns,
        epoch,
        zlib.crc32(payload, zlib.crc32(header)),
        previous_hash,
        digest(b"".join((previous_hash, header, payload, chunks_hash))),
        chunks_hash,
        payload,
    )


def check_row(row: BatchRow) -> None:
    """Check that a row matches itself.

    Raises `JournalDamaged`.
    """
    first_event, last_event, time_ns, epoch, crc, previous_hash, hash_, chunks_hash, payload = row
    try:
        header = _HEADER.pack(first_event, last_event, time_ns, epoch, len(payload))
        actual_crc = zlib.crc32(payload, zlib.crc32(header))
        actual_hash = digest(b"".join((previous_hash, header, payload, chunks_hash)))
    except (TypeError, struct.error) as error:
        raise JournalDamaged(row.place, f"a column holds what it cannot: {error}") from error
    if actual_crc != crc:
        raise JournalDamaged(row.place, f"the CRC is {actual_crc}, stored is {crc!r}")
    if actual_hash != hash_:
        raise JournalDamaged(row.place, "the hash does not match the content")


class ChainCheck:
    """Checks that rows follow each other; holds where the chain stands."""

    def __init__(self, *, last_event: int, last_hash: bytes) -> None:
        self.last_event = last_event
        self.last_hash = last_hash
        self._time_ns = 0
        self._epoch = 0

    def follow(self, row: BatchRow) -> None:
        """Check the next row, in itself and against the one before.

        Raises `JournalDamaged`.
        """
        if row.first_event != self.last_event + 1:
            raise JournalDamaged(
                f"event {self.last_event + 1}",
                f"missing, the next batch begins with event {row.first_event}",
            )
        check_row(row)
        if row.previous_hash != self.last_hash:
            raise JournalDamaged(row.place, "the chain is broken: it does not follow what precedes")
        if row.last_event < row.first_event:
            raise JournalDamaged(row.place, "it holds no events")
        if row.time_ns < self._time_ns or row.epoch < self._epoch:
            raise JournalDamaged(row.place, "its time or epoch is before that of the batch before")
        self.resume_after(row)

    def resume_after(self, row: BatchRow) -> None:
        """Go on behind a row, whatever it is."""
        self.last_event = row.last_event
        self.last_hash = row.hash
        self._time_ns = row.time_ns
        self._epoch = row.epoch


def chunk_digest(chunk: FeedChunk) -> ChunkDigest:
    """Return what the annex should say about a chunk."""
    return ChunkDigest(chunk.kind, chunk.key, chunk.first, chunk.last, digest(chunk.data))
