"""Reading a journal: everything that is not an append, from any thread and any process.

A few connections are shared by all threads, each used by one of them at a time. No statement stays
open while its rows are used elsewhere: a read that lasts would keep the write-ahead log from
starting again, and so let it grow.
"""

import contextlib
import queue
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradewire_server import feeds
from tradewire_server.feeds import FeedChunk, FeedKind
from tradewire_server.journal import chain, database, snapshots
from tradewire_server.journal.chain import Annex, BatchRow, ChainCheck
from tradewire_server.journal.errors import FeedOutOfRange, JournalDamaged, JournalError
from tradewire_server.journal.records import (
    CandleRow,
    ClosedOrderRow,
    Snapshot,
    StoredBatch,
)

_CONNECTIONS: Final = 4
_BATCHES_PER_READ: Final = 64

_COLUMNS: Final = (
    "first_event, last_event, time_ns, epoch, crc, previous_hash, hash, chunks_hash, payload"
)
_BATCHES: Final = (
    f"SELECT {_COLUMNS} FROM batches WHERE first_event > ? ORDER BY first_event LIMIT ?"
)
_BATCHES_WITH_ANNEX: Final = (
    f"SELECT {_COLUMNS}, annex FROM batches WHERE first_event > ? ORDER BY first_event LIMIT ?"
)
_LAST_BATCH: Final = f"SELECT {_COLUMNS} FROM batches ORDER BY first_event DESC LIMIT 1"
_BATCH_OF: Final = (
    f"SELECT {_COLUMNS} FROM batches WHERE first_event <= ? ORDER BY first_event DESC LIMIT 1"
)
_ANNEXES: Final = """
SELECT last_event, time_ns, hash, chunks_hash, annex
FROM batches WHERE first_event > ? AND time_ns >= ? ORDER BY first_event LIMIT ?
"""
_FEED: Final = """
SELECT first, last, crc, data FROM feed_chunks
WHERE kind = ?1 AND key = ?2 AND first >= coalesce(
    (SELECT max(first) FROM feed_chunks WHERE kind = ?1 AND key = ?2 AND first <= ?3), 0
)
ORDER BY first
"""
_FEED_RANGE: Final = """
SELECT
    (SELECT first FROM feed_chunks WHERE kind = ?1 AND key = ?2 ORDER BY first LIMIT 1),
    (SELECT last FROM feed_chunks WHERE kind = ?1 AND key = ?2 ORDER BY first DESC LIMIT 1)
"""
_CLOSED_ORDERS: Final = """
SELECT account, order_id, symbol, sequence FROM closed_orders
WHERE account = ? AND order_id > ? ORDER BY order_id LIMIT ?
"""
_CLOSED_ORDERS_OF_SYMBOL: Final = """
SELECT account, order_id, symbol, sequence FROM closed_orders
WHERE account = ? AND symbol = ? AND order_id > ? ORDER BY order_id LIMIT ?
"""
_CANDLES: Final = """
SELECT symbol, minute, open, high, low, close, volume, trade_count FROM candles
WHERE symbol = ? AND minute >= ? AND minute < ? ORDER BY minute LIMIT ?
"""
# The sum of volumes may not fit 63 bits, which is an error in SQL: the halves do.
_MERGED_CANDLE: Final = """
SELECT
    (SELECT open FROM candles WHERE symbol = ?1 AND minute >= ?2 AND minute < ?3
        ORDER BY minute LIMIT 1),
    max(high),
    min(low),
    (SELECT close FROM candles WHERE symbol = ?1 AND minute >= ?2 AND minute < ?3
        ORDER BY minute DESC LIMIT 1),
    sum(volume >> 31),
    sum(volume & 0x7fffffff),
    sum(trade_count)
FROM candles WHERE symbol = ?1 AND minute >= ?2 AND minute < ?3
"""


class StoredAnnex(NamedTuple):
    """The annex of a batch, with the batch's end and hash."""

    last_event: int
    time_ns: int
    hash: bytes
    annex: Annex


class JournalReader:
    """A journal, opened for reading. It takes no lock: the venue may run."""

    def __init__(self, directory: Path) -> None:
        """Open the journal.

        Raises `JournalVersionUnknown`, or `JournalError` if there is none.
        """
        self.directory = directory
        self._path = directory / database.FILE_NAME
        if not self._path.exists():
            raise JournalError(f"{directory} holds no journal")
        self._connections: queue.LifoQueue[sqlite3.Connection | None] = queue.LifoQueue()
        for _ in range(_CONNECTIONS):
            self._connections.put(None)
        try:
            with self._reading("meta") as connection:
                if not database.check_version(connection, self._path):
                    raise JournalError(f"{directory} holds a journal that was never filled")
                self.journal_id, self.created_ns, self.epoch = connection.execute(
                    "SELECT journal_id, created_ns, epoch FROM meta"
                ).fetchone()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections; waits for those in use."""
        for _ in range(_CONNECTIONS):
            connection = self._connections.get()
            if connection is not None:
                connection.close()

    @contextlib.contextmanager
    def _reading(self, place: str) -> Iterator[sqlite3.Connection]:
        """Lend a connection; what goes wrong with it is said to be wrong at `place`.

        Nobody borrows a second one: threads that all hold one would wait for each other.
        """
        connection = self._connections.get()
        try:
            with database.reading(place):
                connection = connection or database.connect_reader(self._path)
                yield connection
        finally:
            self._connections.put(connection)

    # Batches.

    def last_batch(self) -> BatchRow | None:
        """Return the newest batch, checked in itself.

        Raises `JournalDamaged`.
        """
        with self._reading("the last batch") as connection:
            values = connection.execute(_LAST_BATCH).fetchone()
        if values is None:
            return None
        row = BatchRow(*values)
        chain.check_row(row)
        return row

    def hash_at(self, event_number: int) -> bytes | None:
        """Return the hash of the chain behind the batch that ends with the event, if there is one.

        Raises `JournalDamaged`.
        """
        if event_number == 0:
            return chain.genesis(self.journal_id)
        with self._reading(f"event {event_number}") as connection:
            values = connection.execute(_BATCH_OF, (event_number,)).fetchone()
        if values is None or values[1] != event_number:
            return None
        row = BatchRow(*values)
        chain.check_row(row)
        return row.hash

    def rows(self, after_event: int) -> Iterator[BatchRow]:
        """Yield the rows of the batches after an event, unchecked."""
        for values in self._slices(_BATCHES, after_event):
            yield BatchRow(*values)

    def rows_with_annex(self, after_event: int) -> Iterator[tuple[BatchRow, bytes]]:
        """Yield the rows of the batches after an event with their annexes, unchecked."""
        for *values, annex in self._slices(_BATCHES_WITH_ANNEX, after_event):
            yield BatchRow(*values), annex

    def _slices(self, query: str, after_event: int) -> Iterator[tuple[Any, ...]]:
        while True:
            with self._reading(f"the batches after event {after_event}") as connection:
                rows = connection.execute(query, (after_event, _BATCHES_PER_READ)).fetchall()
            yield from rows
            if len(rows) < _BATCHES_PER_READ:
                return
            after_event = rows[-1][0]

    def batches(self, after_event: int) -> Iterator[StoredBatch]:
        """Yield the batches after the one that ends with `after_event`, proven to follow it.

        Raises `JournalDamaged`.
        """
        last_hash = self.hash_at(after_event)
        if last_hash is None:
            raise JournalDamaged(f"event {after_event}", "no batch ends with it")
        check = ChainCheck(last_event=after_event, last_hash=last_hash)
        for row in self.rows(after_event):
            check.follow(row)
            yield StoredBatch(row.first_event, row.last_event, row.time_ns, row.payload)

    def annexes(self, after_event: int, *, since_ns: int) -> Iterator[StoredAnnex]:
        """Yield the annexes of the batches after an event and not before a time.

        Raises `JournalDamaged`.
        """
        while True:
            with self._reading(f"the batches after event {after_event}") as connection:
                values = connection.execute(
                    _ANNEXES, (after_event, since_ns, _BATCHES_PER_READ)
                ).fetchall()
            if not values:
                return
            for last_event, time_ns, hash_, chunks_hash, data in values:
                place = f"annex of the batch that ends with event {last_event}"
                if chain.digest(data) != chunks_hash:
                    raise JournalDamaged(place, "its hash does not match")
                annex = chain.decode_annex(data, place)
                yield StoredAnnex(last_event, time_ns, hash_, annex)
            after_event = values[-1][0]

    # Feeds.

    def read_feed(self, kind: FeedKind, key: str, *, after: int, max_bytes: int) -> list[FeedChunk]:
        """Return the entries after `after`, at most `max_bytes` of them, but at least one if any.

        Raises `FeedOutOfRange` and `JournalDamaged`.
        """
        place = f"feed {kind.name} of {key}"
        chunks: list[FeedChunk] = []
        wanted, left = after + 1, max_bytes
        with (
            self._reading(place) as connection,
            contextlib.closing(connection.execute(_FEED, (kind, key, wanted))) as cursor,
        ):
            last_seen = 0
            for first, last, crc, data in cursor:
                chunk = FeedChunk(kind, key, first, last, data)
                _check_chunk(chunk, crc, place)
                if first > wanted and not last_seen and _feeds_pruned_to(connection):
                    raise FeedOutOfRange(wanted=wanted, first_available=first)
                if first != (last_seen + 1 if last_seen else min(first, wanted)):
                    raise JournalDamaged(place, f"entry {max(wanted, last_seen + 1)} is missing")
                last_seen = last
                if last < wanted:
                    continue
                if first < wanted:
                    chunk = feeds.rest(chunk, after=wanted - 1)
                if len(chunk.data) > left:
                    if not chunks:
                        chunks.append(_shortened(chunk, left))
                    break
                chunks.append(chunk)
                wanted, left = last + 1, left - len(chunk.data)
        return chunks

    def feeds_pruned_to(self) -> int:
        """Return the event up to which feed chunks may have been removed, 0 if none were."""
        with self._reading("meta") as connection:
            return _feeds_pruned_to(connection)

    def feed_range(self, kind: FeedKind, key: str) -> tuple[int, int]:
        """Return the first entry that is available (1 in an empty feed) and the last (0)."""
        with self._reading(f"feed {kind.name} of {key}") as connection:
            first, last = connection.execute(_FEED_RANGE, (kind, key)).fetchone()
        return (1, 0) if first is None else (first, last)

    # Rows.

    def closed_order(self, account: str, order_id: int) -> ClosedOrderRow | None:
        """Return where a closed order of the account ended."""
        found = self.closed_orders(account, after_order_id=order_id - 1, symbol=None, limit=1)
        return found[0] if found and found[0].order_id == order_id else None

    def closed_orders(
        self, account: str, *, after_order_id: int, symbol: str | None, limit: int
    ) -> list[ClosedOrderRow]:
        """Return closed orders of the account in the order of their ids."""
        with self._reading(f"closed orders of {account}") as connection:
            if symbol is None:
                cursor = connection.execute(_CLOSED_ORDERS, (account, after_order_id, limit))
            else:
                cursor = connection.execute(
                    _CLOSED_ORDERS_OF_SYMBOL, (account, symbol, after_order_id, limit)
                )
            return [ClosedOrderRow(*row) for row in cursor.fetchall()]

    def candles(
        self, symbol: str, *, start_minute: int, end_minute: int, limit: int, minutes: int = 1
    ) -> list[CandleRow]:
        """Return the candles of `start_minute` up to, not including, `end_minute`.

        One that is longer than a minute begins at a multiple of its length, and is made of those
        of its minutes that are asked for.
        """
        with self._reading(f"candles of {symbol}") as connection:
            if minutes == 1:
                cursor = connection.execute(_CANDLES, (symbol, start_minute, end_minute, limit))
                return [CandleRow(*row) for row in cursor.fetchall()]
            # One statement for each: to group all of them in one would be to sort them.
            found: list[CandleRow] = []
            for opens in range(start_minute - start_minute % minutes, end_minute, minutes):
                span = max(opens, start_minute), min(opens + minutes, end_minute)
                row = connection.execute(_MERGED_CANDLE, (symbol, *span)).fetchone()
                first, high, low, last, volume_high, volume_low, trade_count = row
                if trade_count is not None:
                    volume = (volume_high << 31) + volume_low
                    found.append(
                        CandleRow(symbol, opens, first, high, low, last, volume, trade_count)
                    )
                    if len(found) == limit:
                        break
            return found

    def latest_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot that is whole and belongs to this journal."""
        for path, header in snapshots.whole_headers(self.directory):
            if header.journal_id != self.journal_id:
                continue
            if header.chain_hash != self.hash_at(header.event_number):
                continue
            try:
                return snapshots.read(path)[1]
            except snapshots.SnapshotDamaged:
                continue
        return None


def _feeds_pruned_to(connection: sqlite3.Connection) -> int:
    (event,) = connection.execute("SELECT feeds_pruned_to FROM meta").fetchone()
    return int(event)


def _check_chunk(chunk: FeedChunk, crc: int, place: str) -> None:
    """Check a chunk against its CRC.

    Raises `JournalDamaged`.
    """
    kind, key, first, last, data = chunk
    if chain.chunk_crc(kind, key, first=first, last=last, data=data) != crc:
        raise JournalDamaged(place, f"the CRC of entries {first} to {last} does not match")


def _shortened(chunk: FeedChunk, max_bytes: int) -> FeedChunk:
    """Return the entries of the chunk that fit, but at least one."""
    data, count = feeds.take(chunk.data, max_bytes)
    return chunk._replace(last=chunk.first + count - 1, data=data)
