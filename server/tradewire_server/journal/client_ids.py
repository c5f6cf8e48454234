"""The index of client ids: finds the first answer to an id, on disk, with bounded memory.

What it holds is in the journal already, in the annex of each batch. So this is a file of its own,
`client_ids.sqlite`, that no acknowledgement waits for: a thread writes it, behind the journal.

- Ids are random to us (clients like UUIDs), and a random key dirties a page of its own. Written
  with the batch, 256 UUIDs cost 6 ms more per append with a million ids stored. Here they gather
  and are written many thousand at a time, in the order of the keys, without an fsync.
- `add` puts the rows of a durable batch into `_pending`, where `find` sees them at once. The
  thread moves them to the file when enough have gathered, and only then takes them out: at each
  moment an id is in at least one of the two.
- If the thread falls behind, `reserve` makes the writer wait: memory is bounded, ids are never
  forgotten. If it fails, `reserve` fails: the venue stops.
- The file says up to which event it is complete. The journal hands over what follows when it
  opens; a file that is damaged, absent or of another history is made again from the annexes.

An id belongs to the period (the UTC day) of its batch. Look-ups probe the periods that retention
reaches, counted from the time of the last batch; older periods are deleted in steps. A key is one
text, `period:length of account:account:client id`: SQLite compares a single column faster than
three, and the length keeps any two pairs apart.
"""

import contextlib
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradewire_server.journal import database
from tradewire_server.journal.errors import JournalDamaged, JournalWriteFailed
from tradewire_server.journal.records import ClientIdRow

FILE_NAME: Final = "client_ids.sqlite"
PERIOD_NS: Final = 86_400 * 1_000_000_000

_APPLICATION_ID: Final = 0x5457_4349  # "TWCI"
_VERSION: Final = 1

# Rows that wait in memory until they are written, and rows at which the writer has to wait.
FLUSH_AT: Final = 16_384
PENDING_MAX: Final = 65_536
# Deleted per flush, beside twice what was added: deleting overtakes adding.
_PRUNE_AT_LEAST: Final = 4096

_SCHEMA: Final = """
CREATE TABLE client_ids (
    key TEXT PRIMARY KEY,
    content_hash BLOB NOT NULL,
    order_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE periods (period INTEGER PRIMARY KEY, rows INTEGER NOT NULL) STRICT;
CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    journal_id TEXT NOT NULL,
    event INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
"""

# One statement per block; unused places stay NULL. A block is one release of the interpreter's
# lock, where `executemany` is two for each row.
_BLOCK: Final = 256
_FIND_SIZES: Final = (8, 64, _BLOCK)
_STAGE: Final = (
    "INSERT INTO staged SELECT * FROM (VALUES "
    + ", ".join(["(?, ?, ?, ?)"] * _BLOCK)
    + ") WHERE column1 IS NOT NULL"
)
_FIND: Final = {
    size: (
        f"WITH wanted (key) AS MATERIALIZED (VALUES {', '.join(['(?)'] * size)}) "
        "SELECT client_ids.* FROM wanted CROSS JOIN client_ids ON client_ids.key = wanted.key"
    )
    for size in _FIND_SIZES
}
_PRUNE: Final = """
DELETE FROM client_ids WHERE key >= ?1 AND key < ?2 AND key <= coalesce(
    (SELECT key FROM client_ids WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT 1 OFFSET ?3), ?2
)
"""

_ADVICE: Final = (
    "It can be made again: stop the venue, remove the file and its -wal and -shm, start it"
)

_logger = logging.getLogger(__name__)


class _NotOfThisJournal(Exception):
    """The file is an index of something else."""


class Progress(NamedTuple):
    """Up to where the index is complete: a batch's last event, and the batch's hash."""

    event: int
    hash: bytes


class _Group(NamedTuple):
    """The rows of one batch, on their way to the file."""

    progress: Progress
    period: int
    rows: Sequence[ClientIdRow]


def key_of(period: int, account: str, client_order_id: str) -> str:
    """Return the key of an id in a period: one text, different for any two ids."""
    return f"{period}:{len(account)}:{account}:{client_order_id}"


def _beginnings(period: int, ids: Iterable[Sequence[Any]]) -> dict[str, str]:
    """Return what the keys of ids begin with, by their accounts: these are few."""
    return {account: key_of(period, account, "") for account in {each[0] for each in ids}}


def _open(path: Path, journal_id: str) -> sqlite3.Connection:
    """Open the file, or make it.

    Raises `_NotOfThisJournal`, or `sqlite3.Error` if it is damaged.
    """
    connection = database.connect_writer(path, synchronous="NORMAL", cache_kib=32_768)
    try:
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if (version, objects) == (0, 0):
            connection.executescript(
                f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA application_id = {_APPLICATION_ID};"
                f"PRAGMA user_version = {_VERSION};"
            )
            connection.execute("INSERT INTO progress VALUES (1, ?, 0, x'')", (journal_id,))
            connection.execute("COMMIT")
        elif version != _VERSION:
            raise _NotOfThisJournal(f"{path} has schema {version}")
        (owner,) = connection.execute("SELECT journal_id FROM progress").fetchone()
        if owner != journal_id:
            raise _NotOfThisJournal(f"{path} belongs to journal {owner}")
        connection.execute(
            "CREATE TEMP TABLE staged (key TEXT, content_hash BLOB, order_id INT, sequence INT)"
        )
    except BaseException:
        connection.close()
        raise
    return connection


def remove(directory: Path) -> None:
    """Remove the index; it is made again when the journal opens."""
    for suffix in ("", "-wal", "-shm"):
        (directory / (FILE_NAME + suffix)).unlink(missing_ok=True)


class ClientIdIndex:
    """The index of one journal, with its thread; `last_time_ns` is that of the last batch.

    `reserve` and `add` belong to the writer's thread, `find` to one other thread.
    """

    def __init__(
        self,
        directory: Path,
        *,
        journal_id: str,
        retention_ns: int,
        last_time_ns: int,
        flush_at: int = FLUSH_AT,
        pending_max: int = PENDING_MAX,
    ) -> None:
        self._path = directory / FILE_NAME
        self._retention_ns = retention_ns
        self._flush_at = flush_at
        self._pending_max = pending_max
        self._pending: dict[tuple[str, str], ClientIdRow] = {}
        self._groups: deque[_Group] = deque()
        self._waiting = 0  # rows in `_groups`
        self._last_time_ns = last_time_ns
        self._closing = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._connection = self._open_or_remake(directory, journal_id)
        self._finder = database.connect_reader(self._path)
        # Read on the event loop: its pages are the operating system's, not copies of them. The
        # index can be made again, so a bad sector may well end the process here.
        self._finder.execute("PRAGMA mmap_size = 1073741824")
        # Up to where the file was complete when it was opened.
        self.found_complete_to = Progress(
            *self._connection.execute("SELECT event, hash FROM progress").fetchone()
        )
        stored = self._connection.execute("SELECT period, rows FROM periods").fetchall()
        # Rows per period: in the file, and in all.
        self._stored: dict[int, int] = dict(stored)
        self._counts: dict[int, int] = dict(stored)
        self._thread = threading.Thread(target=self._run, name="tradewire-client-ids", daemon=True)
        self._thread.start()

    @staticmethod
    def _open_or_remake(directory: Path, journal_id: str) -> sqlite3.Connection:
        path = directory / FILE_NAME
        try:
            with database.reading(str(path)):
                return _open(path, journal_id)
        except (JournalDamaged, _NotOfThisJournal) as error:
            _logger.warning("the index of client ids is made again: %s", error)
            remove(directory)
            with database.reading(str(path)):
                return _open(path, journal_id)

    def oldest_period(self, now_ns: int) -> int:
        """Return the oldest period with an id that is retained at `now_ns`."""
        return (now_ns - self._retention_ns) // PERIOD_NS

    def reserve(self) -> None:
        """Wait until there is room for another batch.

        Raises `JournalWriteFailed` when the thread has failed.
        """
        with self._changed:
            while self._waiting >= self._pending_max and self._failure is None:
                self._changed.wait()
            if self._failure is not None:
                raise JournalWriteFailed(
                    f"the index of client ids failed: {self._failure}"
                ) from self._failure

    def add(self, progress: Progress, time_ns: int, rows: Sequence[ClientIdRow]) -> None:
        """Take in the rows of a durable batch; `find` sees them from now on."""
        self._last_time_ns = time_ns
        if not rows:
            return
        period = time_ns // PERIOD_NS
        pending = self._pending
        for row in rows:
            pending[row[0], row[1]] = row
        self._counts[period] = self._counts.get(period, 0) + len(rows)
        with self._changed:
            self._groups.append(_Group(progress, period, rows))
            self._waiting += len(rows)
            if self._waiting >= self._flush_at:
                self._changed.notify_all()

    def find(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], ClientIdRow]:
        """Return the rows of those keys that were used within retention."""
        # First what is pending: what is not there any more is in the file already.
        pending = self._pending
        found: dict[tuple[str, str], ClientIdRow] = {}
        absent = []
        for key in keys:
            row = pending.get(key)
            if row is None:
                absent.append(key)
            else:
                found[key] = row
        if not absent:
            return found
        oldest = self.oldest_period(self._last_time_ns)
        # Oldest first: if an id was used again after retention, the newer row replaces the older.
        wanted: dict[str, tuple[str, str]] = {}
        for period in sorted(self._stored):
            if period >= oldest:
                begin = _beginnings(period, absent)
                wanted.update((begin[key[0]] + key[1], key) for key in absent)
        with database.reading(str(self._path), advice=_ADVICE):
            for stored_key, content_hash, order_id, sequence in self._select(list(wanted)):
                key = wanted[stored_key]
                found[key] = ClientIdRow(*key, content_hash, order_id, sequence)
        return found

    def _select(self, keys: list[str]) -> list[tuple[str, bytes, int, int]]:
        rows = []
        for start in range(0, len(keys), _BLOCK):
            block: list[str | None] = [*keys[start : start + _BLOCK]]
            size = next(size for size in _FIND_SIZES if size >= len(block))
            block += [None] * (size - len(block))
            rows += self._finder.execute(_FIND[size], block).fetchall()
        return rows

    def count(self, now_ns: int) -> int:
        """Count the ids retained at `now_ns`, or at the last batch if that is later."""
        oldest = self.oldest_period(max(now_ns, self._last_time_ns))
        return sum(rows for period, rows in self._counts.copy().items() if period >= oldest)

    def close(self) -> None:
        """Write what is pending and stop the thread. Whatever fails is made good at opening."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._finder.close()
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    # The thread's side.

    def _run(self) -> None:
        try:
            while groups := self._next_groups():
                self._flush(groups)
        except Exception as error:
            # The outermost frame of the thread: whatever it is, the writer must not wait for ever.
            _logger.exception("the index of client ids failed")
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _next_groups(self) -> list[_Group]:
        """Wait until enough rows have gathered and return them; nothing means the end."""
        with self._changed:
            while self._waiting < self._flush_at and not self._closing:
                self._changed.wait()
            return list(self._groups)

    def _flush(self, groups: list[_Group]) -> None:
        """Move groups to the file in one transaction, then take them out of memory."""
        connection = self._connection
        added: dict[int, int] = {}
        for group in groups:
            added[group.period] = added.get(group.period, 0) + len(group.rows)
        rows = sum(added.values())
        self._stage(groups)
        connection.execute("BEGIN IMMEDIATE")
        # The first use of an id counts. Rows can be here already after a crash.
        connection.execute("INSERT OR IGNORE INTO client_ids SELECT * FROM staged ORDER BY key")
        connection.executemany(
            "INSERT INTO periods VALUES (?, ?)"
            " ON CONFLICT (period) DO UPDATE SET rows = rows + excluded.rows",
            list(added.items()),
        )
        connection.execute("UPDATE progress SET event = ?, hash = ?", groups[-1].progress)
        self._prune(2 * rows + _PRUNE_AT_LEAST)
        connection.execute("COMMIT")
        connection.execute("DELETE FROM staged")
        for period, count in added.items():
            self._stored[period] = self._stored.get(period, 0) + count
        self._forget(groups)

    def _stage(self, groups: list[_Group]) -> None:
        block: list[str | bytes | int | None] = []
        for _, period, rows in groups:
            begin = _beginnings(period, rows)
            for account, client_order_id, content_hash, order_id, sequence in rows:
                block += (begin[account] + client_order_id, content_hash, order_id, sequence)
                if len(block) == 4 * _BLOCK:
                    self._connection.execute(_STAGE, block)
                    block.clear()
        if block:
            block += [None] * (4 * _BLOCK - len(block))
            self._connection.execute(_STAGE, block)

    def _prune(self, limit: int) -> None:
        """Delete up to `limit` rows of the oldest period, if retention has passed it."""
        period = min(self._stored, default=None)
        if period is None or period >= self.oldest_period(self._last_time_ns):
            return
        first, behind = f"{period}:", f"{period};"
        deleted = self._connection.execute(_PRUNE, (first, behind, limit - 1)).rowcount
        if deleted < limit:
            self._connection.execute("DELETE FROM periods WHERE period = ?", (period,))
            del self._stored[period]
            self._counts.pop(period, None)
        else:
            self._connection.execute(
                "UPDATE periods SET rows = max(rows - ?, 0) WHERE period = ?", (deleted, period)
            )

    def _forget(self, groups: list[_Group]) -> None:
        pending = self._pending
        for group in groups:
            for row in group.rows:
                key = row[0], row[1]
                # A newer row of the same id stays until its own group is written.
                if pending.get(key) is row:
                    del pending[key]
        rows = sum(len(self._groups.popleft().rows) for _ in groups)
        with self._changed:
            self._waiting -= rows
            self._changed.notify_all()
