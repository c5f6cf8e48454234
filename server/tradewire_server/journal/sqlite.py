"""The journal in SQLite: one durable commit per batch, one writer, proofs at every opening.

Files in the data directory:

- `journal.sqlite`     batches, feed chunks, closed orders, candles (`database` has the schema)
- `head`               how far was acknowledged (`head`)
- `client_ids.sqlite`  the index of client ids, made again if it is lost (`client_ids`)
- `snapshots/`         the newest two states (`snapshots`)
- `lock`               held by the process that writes (`lock`)

Opening for writing: take the lock; look at the database read-only, so that a refusal leaves the
evidence as it is; compare its end with the head file and the snapshots; count up the epoch; hand
the index of client ids what it has not seen. Only the last batch is proven then, the rest by
whoever reads it (`batches`, or all of it by `verify`).

A failed write is never tried again: after a failed fsync nobody knows what is on the disk. The
journal refuses every later append, its process ends, and the next opening finds what is there.

Left out: a second process that tails the journal and takes over; that is the replicated journal's.
"""

import contextlib
import functools
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tradewire_server.feeds import FeedChunk, FeedKind
from tradewire_server.journal import chain, database, snapshots
from tradewire_server.journal.client_ids import PERIOD_NS, ClientIdIndex, Progress, remove
from tradewire_server.journal.errors import (
    JournalBehindHead,
    JournalDamaged,
    JournalWriteFailed,
)
from tradewire_server.journal.head import FILE_NAME as HEAD_NAME
from tradewire_server.journal.head import Head, HeadFile
from tradewire_server.journal.head import read as read_head
from tradewire_server.journal.lock import DirectoryLock
from tradewire_server.journal.reader import JournalReader, StoredAnnex
from tradewire_server.journal.records import (
    Batch,
    CandleRow,
    ClientIdRow,
    ClosedOrderRow,
    Snapshot,
    StoredBatch,
)

DAY_NS: Final = PERIOD_NS

_WRITER_CACHE_KIB: Final = 16_384

_encode_json = msgspec.json.Encoder().encode


class SqliteJournal:
    """The journal of one data directory, open for writing. Use `open`."""

    def __init__(
        self,
        lock: DirectoryLock,
        writer: sqlite3.Connection,
        reader: JournalReader,
        *,
        client_id_retention_ns: int,
    ) -> None:
        self._lock = lock
        self._writer = writer
        self._reader = reader
        self.journal_id: str = reader.journal_id
        last = reader.last_batch()
        self._last_event = last.last_event if last else 0
        self._last_time_ns = last.time_ns if last else 0
        self._last_hash = last.hash if last else chain.genesis(reader.journal_id)
        self.epoch: int = reader.epoch + 1
        self._writing = threading.Lock()
        self._failed = False
        writer.execute("UPDATE meta SET epoch = ?", (self.epoch,))
        database.prepare_append(writer)
        self._head = HeadFile(
            reader.directory, Head(self._last_event, self._last_hash, self.journal_id)
        )
        snapshots.sync_directory(reader.directory)
        self._client_ids = self._open_client_ids(client_id_retention_ns)

    @classmethod
    def open(
        cls, directory: Path, *, now_ns: int, client_id_retention_ns: int = DAY_NS
    ) -> "SqliteJournal":
        """Open the journal of a data directory for writing, or make it.

        Raises `JournalLocked`, `JournalDamaged`, `JournalBehindHead`, `JournalVersionUnknown` and
        `JournalWriteFailed`.
        """
        if client_id_retention_ns < DAY_NS:
            raise ValueError("client ids are retained for 24 hours at least")
        with contextlib.ExitStack() as undo:
            try:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = undo.enter_context(DirectoryLock(directory))
                writer = undo.enter_context(contextlib.closing(_open_database(directory, now_ns)))
                reader = undo.enter_context(contextlib.closing(JournalReader(directory)))
                snapshots.remove_unfinished(directory)
                journal = cls(lock, writer, reader, client_id_retention_ns=client_id_retention_ns)
            except sqlite3.Error as error:
                raise database.write_failure(error, f"the opening of {directory}") from error
            except OSError as error:
                raise JournalWriteFailed(f"{directory} cannot be used: {error}") from error
            undo.pop_all()
            return journal

    def _open_client_ids(self, retention_ns: int) -> ClientIdIndex:
        """Open the index of client ids and hand it what it has not seen."""
        directory = self._reader.directory
        make_index = functools.partial(
            ClientIdIndex,
            directory,
            journal_id=self.journal_id,
            retention_ns=retention_ns,
            last_time_ns=self._last_time_ns,
        )
        index = make_index()
        complete_to = index.found_complete_to
        if complete_to.event and self._reader.hash_at(complete_to.event) != complete_to.hash:
            # Another history, as after a restored copy: what it says may never have happened.
            index.close()
            remove(directory)
            index = make_index()
        try:
            since_ns = index.oldest_period(self._last_time_ns) * PERIOD_NS
            for stored in self._reader.annexes(index.found_complete_to.event, since_ns=since_ns):
                index.reserve()
                progress = Progress(stored.last_event, stored.hash)
                index.add(progress, stored.time_ns, stored.annex.client_ids)
        except BaseException:
            index.close()
            raise
        return index

    # The writer's thread.

    def append(self, batch: Batch) -> None:
        """Return when the batch is durable. After any error the caller stops.

        Raises `JournalWriteFailed`.
        """
        with self._alone():
            self._append(batch)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the writing connection; two threads that want it at once are a mistake of ours."""
        alone = self._writing.acquire(blocking=False)
        assert alone, "the writing side of the journal is in use by another thread"
        try:
            yield
        finally:
            self._writing.release()

    def _append(self, batch: Batch) -> None:
        place = f"batch of events {batch.first_event} to {batch.last_event}"
        if self._failed:
            raise JournalWriteFailed(f"{place} is refused: an earlier append failed")
        assert batch.first_event == self._last_event + 1, f"{place} leaves a gap"
        assert batch.last_event >= batch.first_event, f"{place} holds no event"
        assert batch.time_ns >= self._last_time_ns, f"{place} is before the last one in time"
        annex = chain.encode_annex(batch)
        row = chain.seal(
            batch,
            epoch=self.epoch,
            previous_hash=self._last_hash,
            chunks_hash=chain.digest(annex),
        )
        values = (*row, annex, *_columns_of(batch, place))
        # Until everything is done the journal counts as failed, whatever ends this early.
        self._failed = True
        self._client_ids.reserve()
        try:
            self._writer.execute(database.APPEND, values)
            self._head.record(row.last_event, row.hash)
        except sqlite3.Error as error:
            raise database.write_failure(error, place) from error
        except OSError as error:
            raise JournalWriteFailed(f"{place}: the head file: {error}") from error
        self._client_ids.add(Progress(row.last_event, row.hash), row.time_ns, batch.client_ids)
        self._last_hash = row.hash
        self._last_time_ns = row.time_ns
        self._last_event = row.last_event
        self._failed = False

    def prune_feeds(self, before_ns: int, *, max_batches: int = 256) -> int:
        """Remove feed chunks of batches before a time; the newest chunk of a feed always stays.

        Belongs to the writer's thread. Looks at `max_batches` at most and returns at how many: 0
        says that nothing is left to do. Events and proofs stay.

        Raises `JournalWriteFailed`.
        """
        with self._alone():
            if self._failed:
                raise JournalWriteFailed("nothing is removed: an earlier append failed")
            return self._prune_feeds(before_ns, max_batches)

    def _prune_feeds(self, before_ns: int, max_batches: int) -> int:
        old: list[StoredAnnex] = []
        for stored in self._reader.annexes(self._reader.feeds_pruned_to(), since_ns=0):
            if stored.time_ns >= before_ns or len(old) == max_batches:
                break
            old.append(stored)
        if not old:
            return 0
        # For each feed, the newest chunk to go: everything before it goes too.
        newest = {
            (chunk.kind, chunk.key): chunk.first for stored in old for chunk in stored.annex.chunks
        }
        self._failed = True
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            self._writer.executemany(
                "DELETE FROM feed_chunks WHERE kind = ?1 AND key = ?2 AND first <= ?3 AND first <"
                " (SELECT max(first) FROM feed_chunks WHERE kind = ?1 AND key = ?2)",
                [(*feed, first) for feed, first in newest.items()],
            )
            self._writer.execute("UPDATE meta SET feeds_pruned_to = ?", (old[-1].last_event,))
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            raise database.write_failure(error, "the removal of old feed chunks") from error
        self._failed = False
        return len(old)

    # Any thread.

    def last_event(self) -> int:
        """Return the number of the last durable event, 0 before the first."""
        return self._last_event

    def last_time_ns(self) -> int:
        """Return the time of the last durable batch, 0 before the first."""
        return self._last_time_ns

    def batches(self, after_event: int) -> Iterator[StoredBatch]:
        """Yield what follows `after_event`, the end of a batch, each proven to continue the chain.

        Raises `JournalDamaged`.
        """
        return self._reader.batches(after_event)

    def read_feed(self, kind: FeedKind, key: str, *, after: int, max_bytes: int) -> list[FeedChunk]:
        """Return the entries after `after`, at most `max_bytes` of them, but at least one if any.

        Raises `FeedOutOfRange` and `JournalDamaged`.
        """
        return self._reader.read_feed(kind, key, after=after, max_bytes=max_bytes)

    def feed_range(self, kind: FeedKind, key: str) -> tuple[int, int]:
        """Return the first entry that is available (1 in an empty feed) and the last (0)."""
        return self._reader.feed_range(kind, key)

    def find_client_ids(
        self, keys: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], ClientIdRow]:
        """Return those of the (account, client id) pairs that were used within retention."""
        return self._client_ids.find(keys)

    def client_id_count(self, now_ns: int = 0) -> int:
        """Count the ids that are retained at `now_ns`, or at the last batch if that is later."""
        return self._client_ids.count(now_ns)

    def closed_order(self, account: str, order_id: int) -> ClosedOrderRow | None:
        """Return where a closed order of the account ended."""
        return self._reader.closed_order(account, order_id)

    def closed_orders(
        self, account: str, *, after_order_id: int, symbol: str | None, limit: int
    ) -> list[ClosedOrderRow]:
        """Return closed orders of the account in the order of their ids."""
        return self._reader.closed_orders(
            account, after_order_id=after_order_id, symbol=symbol, limit=limit
        )

    def candles(
        self, symbol: str, *, start_minute: int, end_minute: int, limit: int, minutes: int = 1
    ) -> list[CandleRow]:
        """Return candles of so many minutes; see `records.Journal`."""
        return self._reader.candles(
            symbol,
            start_minute=start_minute,
            end_minute=end_minute,
            limit=limit,
            minutes=minutes,
        )

    def write_snapshot(
        self, event_number: int, time_ns: int, state_hash: bytes, data: bytes
    ) -> None:
        """Return when the snapshot is durable; `event_number` is the end of a durable batch.

        Raises `JournalWriteFailed`.
        """
        chain_hash = self._reader.hash_at(event_number)
        assert chain_hash is not None, f"no batch ends with event {event_number}"
        snapshots.write(
            self._reader.directory,
            Snapshot(event_number, time_ns, state_hash, data),
            journal_id=self.journal_id,
            chain_hash=chain_hash,
        )

    def latest_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot that is whole and belongs to this journal."""
        return self._reader.latest_snapshot()

    def close(self) -> None:
        """Give everything back; what was appended is durable already."""
        with contextlib.ExitStack() as last_to_first:
            last_to_first.callback(self._lock.release)
            last_to_first.callback(self._head.close)
            # The last connection to go copies the log into the database.
            last_to_first.callback(self._writer.close)
            last_to_first.callback(self._reader.close)
            last_to_first.callback(self._client_ids.close)


def _columns_of(batch: Batch, place: str) -> tuple[str, bytes, str, str]:
    """Return the batch's rows as the columns of `database.APPEND`."""
    index = []
    position = 1  # SQLite counts bytes from 1.
    for kind, key, first, last, data in batch.chunks:
        crc = chain.chunk_crc(kind, key, first=first, last=last, data=data)
        index.append((kind, key, first, last, crc, position, len(data)))
        position += len(data)
    chunk_data = b"".join([chunk.data for chunk in batch.chunks])
    rows = [_encode_json(rows) for rows in (index, batch.closed_orders, batch.candles)]
    # SQLite reads a NUL in a JSON text as its end.
    assert not any(b"\\u0000" in text for text in rows), f"{place} has a name with a NUL"
    chunks, closed_orders, candles = (text.decode() for text in rows)
    return chunks, chunk_data, closed_orders, candles


def _open_database(directory: Path, now_ns: int) -> sqlite3.Connection:
    """Open the database for writing after nothing was found against it, or make it.

    Raises `JournalDamaged`, `JournalBehindHead` and `JournalVersionUnknown`.
    """
    path = directory / database.FILE_NAME
    head = read_head(directory)
    if path.exists() and _was_filled(path):
        with contextlib.closing(JournalReader(directory)) as reader:
            check_end(reader, head)
        return _connect(path)
    _check_witnesses(directory, head, last_event=0, journal_id=None)
    connection = _connect(path)
    database.create(connection, journal_id=secrets.token_hex(16), created_ns=now_ns)
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    return database.connect_writer(path, synchronous="FULL", cache_kib=_WRITER_CACHE_KIB)


def _was_filled(path: Path) -> bool:
    with contextlib.closing(database.connect_reader(path)) as connection:
        return database.check_version(connection, path)


def check_end(reader: JournalReader, head: Head | None) -> None:
    """Check that the database reaches what the head file and the snapshots have seen.

    Raises `JournalDamaged` and `JournalBehindHead`.
    """
    last = reader.last_batch()
    last_event = last.last_event if last else 0
    if head is not None and head.last_event and head.journal_id != reader.journal_id:
        raise JournalDamaged(
            str(reader.directory / HEAD_NAME),
            f"it belongs to journal {head.journal_id}, the database is {reader.journal_id}",
        )
    _check_witnesses(reader.directory, head, last_event=last_event, journal_id=reader.journal_id)
    if head is not None and head.last_event and reader.hash_at(head.last_event) != head.hash:
        raise JournalDamaged(
            f"event {head.last_event}", "the database holds another one than was acknowledged"
        )


def _check_witnesses(
    directory: Path, head: Head | None, *, last_event: int, journal_id: str | None
) -> None:
    """Check that neither the head file nor a snapshot has seen more than there is.

    Raises `JournalBehindHead`.
    """
    witnesses = [
        (header.event_number, path)
        for path, header in snapshots.whole_headers(directory)
        if journal_id in (None, header.journal_id)
    ]
    if head is not None:
        witnesses.append((head.last_event, directory / HEAD_NAME))
    for event_number, path in witnesses:
        if event_number > last_event:
            raise JournalBehindHead(
                last_event=last_event, head_event=event_number, witness=str(path)
            )
