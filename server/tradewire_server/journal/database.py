"""The journal's database: its schema and version, how it is opened, and what its errors mean.

- Write-ahead log with `synchronous = FULL`: a transaction is one sequential write and one fsync.
- An append is *one statement*: an insert into a view, taken apart by a trigger. SQLite makes it
  atomic, and the interpreter's lock is given up once per batch instead of twice per statement or
  row, which under a busy event loop is what an append costs. View and trigger are temporary, that
  is, part of the code and not of the stored schema. Rows without binary columns come as JSON,
  the chunks' data as one run of bytes.
- The log is copied into the database by whichever append finds more than 4 MB in it. That append
  takes about 10 ms. A thread of its own for this was tried: it competes for the same disk, and
  the appends beside it took as long. A larger limit makes the stall rarer and longer.
- Pages of 4 KB: a small commit writes about five of them. Larger ones were not faster for large
  batches either.
- Files are read with `pread`, not mapped: a bad sector is an error with a place, not a SIGBUS.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tradewire_server.journal.errors import (
    JournalDamaged,
    JournalError,
    JournalFull,
    JournalVersionUnknown,
    JournalWriteFailed,
)

FILE_NAME: Final = "journal.sqlite"
APPLICATION_ID: Final = 0x5457_4A4C  # "TWJL"
SCHEMA_VERSION: Final = 1

# Strict tables came with 3.37, the `->>` operator with 3.38.
_SQLITE_NEEDED: Final = (3, 38, 0)

_BUSY_TIMEOUT_S: Final = 5.0
_LOG_SIZE_LIMIT: Final = 64 << 20

_SCHEMA: Final = """
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    journal_id TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    -- Feed chunks of batches up to this event may have been removed.
    feeds_pruned_to INTEGER NOT NULL
) STRICT;

CREATE TABLE batches (
    first_event INTEGER PRIMARY KEY,
    last_event INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    chunks_hash BLOB NOT NULL,
    annex BLOB NOT NULL,
    payload BLOB NOT NULL
) STRICT;

CREATE TABLE feed_chunks (
    kind INTEGER NOT NULL,
    key TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (kind, key, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE closed_orders (
    account TEXT NOT NULL,
    order_id INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (account, order_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX closed_orders_by_symbol ON closed_orders (account, symbol, order_id);

CREATE TABLE candles (
    symbol TEXT NOT NULL,
    minute INTEGER NOT NULL,
    open INTEGER NOT NULL,
    high INTEGER NOT NULL,
    low INTEGER NOT NULL,
    close INTEGER NOT NULL,
    volume INTEGER NOT NULL,
    trade_count INTEGER NOT NULL,
    PRIMARY KEY (symbol, minute)
) STRICT, WITHOUT ROWID;
"""

_APPEND_SCHEMA: Final = """
CREATE TEMP VIEW appended (
    first_event, last_event, time_ns, epoch, crc, previous_hash, hash, chunks_hash, payload, annex,
    chunks, chunk_data, closed_orders, candles
) AS SELECT 0, 0, 0, 0, 0, x'', x'', x'', x'', x'', '[]', x'', '[]', '[]';

CREATE TEMP TRIGGER append INSTEAD OF INSERT ON appended BEGIN
    INSERT INTO batches (
        first_event, last_event, time_ns, epoch, crc, previous_hash, hash, chunks_hash, annex,
        payload
    ) VALUES (
        NEW.first_event, NEW.last_event, NEW.time_ns, NEW.epoch, NEW.crc, NEW.previous_hash,
        NEW.hash, NEW.chunks_hash, NEW.annex, NEW.payload
    );
    INSERT INTO feed_chunks (kind, key, first, last, crc, data)
        SELECT value->>0, value->>1, value->>2, value->>3, value->>4,
            substr(NEW.chunk_data, value->>5, value->>6)
        FROM json_each(NEW.chunks);
    INSERT INTO closed_orders (account, order_id, symbol, sequence)
        SELECT value->>0, value->>1, value->>2, value->>3 FROM json_each(NEW.closed_orders);
    INSERT INTO candles (symbol, minute, open, high, low, close, volume, trade_count)
        SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
            value->>7
        FROM json_each(NEW.candles) WHERE true
        ON CONFLICT (symbol, minute) DO UPDATE SET
            high = max(high, excluded.high),
            low = min(low, excluded.low),
            close = excluded.close,
            -- A sum beyond 63 bits would become a float, which the table refuses: it stops there.
            volume = iif(
                volume > 9223372036854775807 - excluded.volume,
                9223372036854775807,
                volume + excluded.volume
            ),
            trade_count = trade_count + excluded.trade_count;
END;
"""

APPEND: Final = "INSERT INTO appended VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def _base_code(error: sqlite3.Error) -> int:
    """Return the primary result code, 0 if the error did not come from SQLite itself."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


@contextlib.contextmanager
def reading(place: str, advice: str = JournalDamaged.advice) -> Iterator[None]:
    """Turn the errors of a read into ours.

    Raises `JournalDamaged`, or `JournalError` when the database only could not be read now.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        # Even the names in an error of SQLite can be damaged.
        raise JournalDamaged(place, f"a text is none: {error}", advice) from error
    except sqlite3.Error as error:
        if _base_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise JournalError(f"{place} could not be read: {error}") from error
        raise JournalDamaged(place, str(error), advice) from error


def write_failure(error: sqlite3.Error, what: str) -> JournalError:
    """Return what a failed write means."""
    code = _base_code(error)
    if code == sqlite3.SQLITE_FULL:
        return JournalFull(f"{what} is not durable, there is no room: {error}")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return JournalDamaged(what, str(error))
    return JournalWriteFailed(f"{what} is not durable: {error}")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a database; transactions are begun explicitly or are single statements."""
    if sqlite3.sqlite_version_info < _SQLITE_NEEDED:
        needed = ".".join(map(str, _SQLITE_NEEDED))
        raise JournalError(f"SQLite {needed} is needed, this Python has {sqlite3.sqlite_version}")
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute("PRAGMA temp_store = MEMORY")
    # A schema that was tampered with must not call functions with side effects.
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def connect_reader(path: Path, *, cache_kib: int = 4096) -> sqlite3.Connection:
    """Open for reading: it never copies the log into the database, nor removes it."""
    with reading(str(path)):
        connection = _connect(path, "ro")
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    return connection


def connect_writer(path: Path, *, synchronous: str, cache_kib: int) -> sqlite3.Connection:
    """Open for writing, creating the file if it is not there."""
    if not path.exists():
        # The -wal and -shm files take their mode from it.
        path.touch(mode=0o600)
    connection = _connect(path, "rwc")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalError(f"{path}: the file system allows no write-ahead log, SQLite uses {mode}")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    # A long read, as of `verify`, lets the log grow; afterwards it gives the room back.
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_SIZE_LIMIT}")
    # Some builds overwrite what is deleted with zeros: twice the writing for nothing.
    connection.execute("PRAGMA secure_delete = OFF")
    return connection


def check_version(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the database holds a journal yet; a file that was never filled does not.

    Raises `JournalVersionUnknown`.
    """
    with reading(str(path)):
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (objects,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (application_id, version, objects) == (0, 0, 0):
        return False
    if application_id != APPLICATION_ID:
        raise JournalVersionUnknown(f"{path} is a database, but not a journal of Tradewire")
    if version != SCHEMA_VERSION:
        raise JournalVersionUnknown(
            f"{path} has schema {version}, this release reads schema {SCHEMA_VERSION}: "
            "start the release that wrote it, or a newer one"
        )
    return True


def create(connection: sqlite3.Connection, *, journal_id: str, created_ns: int) -> None:
    """Make the schema in one transaction: a journal is there as a whole or not at all."""
    connection.executescript(
        f"BEGIN IMMEDIATE;{_SCHEMA}"
        f"PRAGMA application_id = {APPLICATION_ID};PRAGMA user_version = {SCHEMA_VERSION};"
    )
    connection.execute(
        "INSERT INTO meta VALUES (1, ?, ?, 0, 0)",
        (journal_id, created_ns),
    )
    connection.execute("COMMIT")


def prepare_append(connection: sqlite3.Connection) -> None:
    """Give a writing connection what `APPEND` inserts into."""
    connection.executescript(_APPEND_SCHEMA)
