"""The memory of all FIX sessions of a gateway in one SQLite file.

What a session sends is stored before it goes out, and what it has taken is stored once its effect
is durable at the venue; so numbers and contents agree with what the client can have seen, whatever
ends the gateway. A message is either stored as it is (a refusal, a reject) or as the number of the
execution that it reports; executions are kept by the venue, and nothing is stored twice.

Theory of operation. A session gathers what it stores (`append`, `set_next_inbound`), and `commit`
writes all of it in one transaction: one row for a run of messages, one for the numbers. That is
done where it is called, in the event loop, without any waiting for the disk: a commit goes into the
page cache in about 20 µs (50 µs for 64 messages; measured on 2 shared cores), a hand-over to a
thread and back would cost several times that. What waits for the disk is done by a thread: moving
the write-ahead log into the file, and the syncs of the next paragraph.

What survives what
- A crash or kill of the gateway: everything; the page cache is the kernel's.
- A loss of power or a crash of the kernel: what was synced. An fsync takes 0.5 to 40 ms, so there
  is none per message. Instead a *ceiling* of outbound numbers is synced ahead, every 1,000 numbers:
  none is used that is not below a synced one. After a loss the session goes on at the ceiling; the
  client asks for the numbers in between, and is told that nothing is there. The executions that
  were reported under them are reported again, with PossResend(97)=Y: their ExecIDs(17) tell which
  the client knows. Lost inbound numbers are asked for again, and the venue knows the commands by
  their ClOrdIDs(11).
Which of both it was tells the boot id of the kernel; where there is none, every start without an
orderly end counts as a loss of power.

Bounds. Of each session the newest messages are kept (`Retention`), by number and by size; what is
older is filled when it is asked for. A session is a row for ever, because its numbers must be;
their count is bounded per account.

When the disk is full, what cannot be written is not sent: the connection ends, and its session goes
on where it was once there is room. A log that cannot be moved into the file is moved later. When a
sync fails, nobody knows what the disk has: nothing more is written until the gateway starts anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.store import Numbers, Record

logger = logging.getLogger("tradewire.fix")

_APPLICATION_ID: Final = 0x54574658  # TWFX
_VERSION: Final = 1
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
# Numbers that may be used without a further sync, and how many are used before there is the next.
_RESERVED: Final = 4_000
_RESERVED_PER_SYNC: Final = 1_000
# Transactions between two moves of the write-ahead log, and between two looks at what is too old.
_COMMITS_PER_CHECKPOINT: Final = 1_000
_COMMITS_PER_PRUNE: Final = 256
_RUNS_PER_PRUNE: Final = 256

_SCHEMA: Final = """
CREATE TABLE gateway (boot TEXT NOT NULL, closed INTEGER NOT NULL) STRICT;
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL, sender TEXT NOT NULL, target TEXT NOT NULL,
    outbound INTEGER NOT NULL, ceiling INTEGER NOT NULL, inbound INTEGER NOT NULL,
    reported INTEGER, journal TEXT NOT NULL, resend_until INTEGER NOT NULL,
    UNIQUE (account, sender, target)
) STRICT;
CREATE TABLE run (
    session INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    records TEXT NOT NULL,
    PRIMARY KEY (session, first)
) STRICT, WITHOUT ROWID;
"""

# The mark -1: whatever executions there are when the session is opened next.
_SKIP_LOST: Final = """
UPDATE session SET outbound = ceiling, resend_until = -1 WHERE outbound < ceiling
"""
_SET_SESSION: Final = """
UPDATE session SET outbound = ?, ceiling = ?, inbound = ?, reported = ?, journal = ?,
    resend_until = ? WHERE id = ?
"""


class StoreError(RuntimeError):
    """The file cannot be used, and says why."""


FAILURES: Final = (sqlite3.Error, StoreError)
"""What is raised when something cannot be remembered, so that the session cannot go on."""


class TooManySessions(RuntimeError):
    """The account has used so many CompIDs that a further one is not remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much is remembered."""

    messages: int = 250_000
    """Newest messages of each session that can be sent again."""
    bytes: int = 64 * 1024 * 1024
    """Size of what is kept of each session: about a million executions, or 100,000 refusals."""
    sessions_per_account: int = 64


@dataclass(slots=True)
class Position:
    """Where a session is in its account's executions."""

    reported: int | None = None
    """The last execution that was given a number; None when there never was a session."""
    journal_id: str = ""
    """Identity of the journal that the sequence is of."""
    resend_until: int = 0
    """Executions up to this one may have been reported already, under numbers that were lost."""


class SqliteStores:
    """The file, and the stores in it; one object per gateway."""

    def __init__(self, path: Path, retention: Retention | None = None) -> None:
        """Open the file, make it if there is none.

        Raises:
            StoreError: another gateway uses it, or it is no such file.
        """
        self.path = path
        self.retention = retention if retention is not None else Retention()
        self._guard = _lock(path)
        # Only for its owner; what SQLite puts beside it takes that from it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            self._writer = _connect(path, synchronous="OFF")
            _create_or_check(self._writer)
            self._begin()
        except sqlite3.Error as error:
            os.close(self._guard)
            raise StoreError(f"{path}: {error}") from error
        except StoreError:
            os.close(self._guard)
            raise
        self._commits = 0
        self._syncer = _Syncer(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def open(self, account: str, sender: str, target: str) -> SqliteStore:
        """Return the store of a session, which begins at 1 when it is new.

        Raises:
            TooManySessions: it would be new, and the account has enough.
        """
        key = (account, sender, target)
        row = self._find(key)
        if row is None:
            (count,) = self._writer.execute(
                "SELECT count(*) FROM session WHERE account = ?", (account,)
            ).fetchone()
            if count >= self.retention.sessions_per_account:
                raise TooManySessions(
                    f"account {account} has used {count} CompIDs: use one of them again"
                )
            self._writer.execute(
                "INSERT INTO session (account, sender, target, outbound, ceiling, inbound,"
                " journal, resend_until) VALUES (?, ?, ?, 1, 1, 1, '', 0)",
                key,
            )
            row = self._find(key)
        assert row is not None, "it was inserted"
        identity, outbound, ceiling, inbound, reported, journal_id, resend_until = row
        return SqliteStore(
            self,
            identity,
            Numbers(outbound, inbound),
            ceiling,
            Position(reported, journal_id, resend_until),
        )

    def close(self) -> None:
        """Sync everything and close the file; where the disk does not take it, that is logged."""
        self._syncer.close()
        try:
            if self._syncer.failure is None:
                self._writer.execute("UPDATE gateway SET closed = 1")
            self._writer.close()
            # The last one out moves the log into the file, and waits for the disk.
            with contextlib.closing(_connect(self.path, synchronous="FULL")) as closing:
                closing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            logger.error("%s: not closed in order, as after a crash: %s", self.path, error)
        finally:
            os.close(self._guard)

    # What the stores call.

    def write(self, statements: Sequence[tuple[str, Sequence[object]]]) -> None:
        """Write in one transaction.

        Raises:
            sqlite3.Error: nothing is written.
            StoreError: nothing is written any more, since a sync has failed.
        """
        self.check()
        execute = self._writer.execute
        execute("BEGIN IMMEDIATE")
        try:
            for statement, values in statements:
                execute(statement, values)
            execute("COMMIT")
        except sqlite3.Error:
            if self._writer.in_transaction:
                execute("ROLLBACK")
            raise
        self._commits += 1
        if self._commits % _COMMITS_PER_CHECKPOINT == 0:
            self._syncer.checkpoint()

    def read_runs(self, session: int, begin: int, end: int) -> Iterator[tuple[int, str]]:
        """Yield the runs of messages that lie between two numbers, each when it is asked for."""
        # The run that has `begin` may have begun before it.
        yield from self._writer.execute(
            "SELECT last, records FROM run WHERE session = ?1 AND first <= ?3 AND last >= ?2 "
            "AND first >= coalesce("
            "(SELECT max(first) FROM run WHERE session = ?1 AND first <= ?2), ?2) "
            "ORDER BY first",
            (session, begin, end),
        )

    def size_of(self, session: int) -> int:
        """Return the size of all that is kept of a session."""
        (size,) = self._writer.execute(
            "SELECT coalesce(sum(length(records)), 0) FROM run WHERE session = ?", (session,)
        ).fetchone()
        return int(size)

    def prune(self, session: int, oldest: int, size: int) -> int:
        """Forget what lies before a number, then what is too much; return the size that is left.

        A bounded number of runs goes at once: the rest goes the next time.
        """
        runs = self._writer.execute(
            "SELECT first, last, length(records) FROM run WHERE session = ? ORDER BY first LIMIT ?",
            (session, _RUNS_PER_PRUNE * 2),
        ).fetchall()
        end = -1
        for first, last, length in runs:
            if last >= oldest and size <= self.retention.bytes:
                break
            end, size = first, size - length
        if end >= 0:
            self.write(
                [("DELETE FROM run WHERE session = ? AND first <= ?", (session, end))],
            )
        return size

    def check(self) -> None:
        """Raise StoreError when what is written can no longer be relied on."""
        failure = self._syncer.failure
        if failure is not None:
            raise StoreError(f"{self.path} cannot be synced: {failure}")

    def sync_soon(self) -> threading.Event:
        """Have all that is written synced by the thread; the event says when."""
        return self._syncer.sync()

    def _find(self, key: tuple[str, str, str]) -> tuple[int, int, int, int, int, str, int] | None:
        found: tuple[int, int, int, int, int, str, int] | None = self._writer.execute(
            "SELECT id, outbound, ceiling, inbound, reported, journal, resend_until FROM session "
            "WHERE account = ? AND sender = ? AND target = ?",
            key,
        ).fetchone()
        return found

    def _begin(self) -> None:
        """Go on at the ceilings when the end was not orderly and the machine has started anew."""
        boot = _boot_id()
        former = self._writer.execute("SELECT boot, closed FROM gateway").fetchone()
        statements: list[tuple[str, Sequence[object]]] = []
        if former is None:
            statements.append(("INSERT INTO gateway VALUES (?, 0)", (boot,)))
        else:
            is_same_boot = boot != "" and former[0] == boot
            if not former[1] and not is_same_boot:
                statements.append((_SKIP_LOST, ()))
            statements.append(("UPDATE gateway SET boot = ?, closed = 0", (boot,)))
        # Not through `write`: the thread is not there yet.
        self._writer.execute("BEGIN IMMEDIATE")
        for statement, values in statements:
            self._writer.execute(statement, values)
        self._writer.execute("COMMIT")
        # What is decided here must not be decided again by what is left after another loss.
        _sync(self.path)


class SqliteStore:
    """The store of one session; see `tradewire_gateway.fix.store.Store`.

    Nothing is written before `commit`, and nothing may be sent before it.
    """

    def __init__(
        self,
        stores: SqliteStores,
        identity: int,
        numbers: Numbers,
        ceiling: int,
        position: Position,
    ) -> None:
        self._stores = stores
        self._identity = identity
        self._numbers = numbers
        self._ceiling = ceiling
        self.position = position
        self._size = stores.size_of(identity)
        # What is gathered, as rows of `_encode`.
        self._records: list[list[object]] = []
        self._is_reset = False
        self._is_changed = False
        self._is_fresh = numbers == Numbers()
        self._commits = 0
        # Ceilings that were written and are not known to be synced.
        self._syncs = deque[tuple[int, threading.Event]]()
        self._synced_ceiling = ceiling

    def numbers(self) -> Numbers:
        """Return the next numbers of both directions."""
        return self._numbers

    def append(self, number: int, record: Record | None) -> None:
        """Use up an outbound number, for a message that can be sent again or for a gap."""
        assert number >= self._numbers.outbound, "an outbound number is used once"
        self._numbers = self._numbers._replace(outbound=number + 1)
        self._is_changed, self._is_fresh = True, False
        if record is None:
            return
        self._records.append(_encode(number, record))
        if record.reference is not None:
            # A report of old that is sent again at the client's wish moves nothing back.
            self.position.reported = max(record.reference, self.position.reported or 0)

    def set_next_inbound(self, number: int) -> None:
        """Remember that all inbound messages below the number are dealt with."""
        if number != self._numbers.inbound:
            self._numbers = self._numbers._replace(inbound=number)
            self._is_changed, self._is_fresh = True, False

    def set_position(self, position: Position) -> None:
        """Go on from elsewhere in the account's executions."""
        self.position = position
        self._is_changed = True

    def reset(self) -> None:
        """Forget all messages: both numbers are 1 again."""
        if self._is_fresh:
            return
        self._is_fresh = True
        self._numbers = Numbers()
        self._ceiling = self._synced_ceiling = 1
        self._syncs.clear()
        self._records.clear()
        self._is_reset = self._is_changed = True

    def read(self, begin: int, end: int, limit: int) -> Sequence[tuple[int, Record]]:
        """Return the first records from begin to end, both included, in order."""
        self.commit()
        found = list[tuple[int, Record]]()
        # A run may hold many messages: no more of them are read than are asked for.
        for _, records in self._stores.read_runs(self._identity, begin, end):
            for row in json.loads(records):
                if begin <= row[0] <= end:
                    found.append(_decode(row))
            if len(found) >= limit:
                break
        return found[:limit]

    async def reserve(self) -> None:
        """Commit, and wait without holding up others until numbers may be used."""
        self._is_changed = True
        self.commit()
        for _, synced in self._syncs:
            await asyncio.to_thread(synced.wait)
        self._wait_for_ceiling()

    def commit(self) -> None:
        """Write what was gathered.

        Raises:
            sqlite3.Error: nothing of it is written; the session cannot go on.
            StoreError: a sync has failed; no session can go on.
        """
        if not self._is_changed:
            return
        statements = list[tuple[str, Sequence[object]]]()
        size = 0 if self._is_reset else self._size
        if self._is_reset:
            statements.append(("DELETE FROM run WHERE session = ?", (self._identity,)))
        if self._records:
            first, last = self._records[0][0], self._records[-1][0]
            text = json.dumps(self._records, separators=(",", ":"))
            size += len(text)
            statements.append(
                ("INSERT INTO run VALUES (?, ?, ?, ?)", (self._identity, first, last, text))
            )
        ceiling = self._ceiling
        if self._numbers.outbound + _RESERVED - _RESERVED_PER_SYNC > ceiling:
            ceiling = self._numbers.outbound + _RESERVED
        numbers, position = self._numbers, self.position
        statements.append(
            (
                _SET_SESSION,
                (
                    numbers.outbound,
                    ceiling,
                    numbers.inbound,
                    position.reported,
                    position.journal_id,
                    position.resend_until,
                    self._identity,
                ),
            )
        )
        self._stores.write(statements)
        self._size = size
        self._records.clear()
        self._is_reset = self._is_changed = False
        if ceiling != self._ceiling:
            self._ceiling = ceiling
            self._syncs.append((ceiling, self._stores.sync_soon()))
        self._wait_for_ceiling()
        self._commits += 1
        if self._commits % _COMMITS_PER_PRUNE == 0 or size > self._stores.retention.bytes:
            oldest = numbers.outbound - self._stores.retention.messages
            self._size = self._stores.prune(self._identity, oldest, size)

    def _wait_for_ceiling(self) -> None:
        """Let no number be used that is not below a synced ceiling; seldom is there a wait."""
        while self._syncs and (
            self._syncs[0][1].is_set() or self._numbers.outbound > self._synced_ceiling
        ):
            ceiling, synced = self._syncs.popleft()
            synced.wait()
            self._stores.check()
            self._synced_ceiling = ceiling


class _Syncer:
    """The thread that waits for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted = threading.Condition()
        self._waiting = list[threading.Event]()
        self._wants_checkpoint = False
        self._is_closing = False
        self.failure: Exception | None = None
        """Why nothing is synced any more."""
        self._thread = threading.Thread(target=self._run, name="fix-store", daemon=True)
        self._thread.start()

    def sync(self) -> threading.Event:
        """Ask for a sync of what is written so far; `failure` says whether it was one."""
        done = threading.Event()
        with self._wanted:
            if self.failure is not None:
                done.set()
                return done
            self._waiting.append(done)
            self._wanted.notify()
        return done

    def checkpoint(self) -> None:
        """Ask for the write-ahead log to be moved into the file."""
        with self._wanted:
            self._wants_checkpoint = True
            self._wanted.notify()

    def close(self) -> None:
        """Do what was asked for and end."""
        with self._wanted:
            self._is_closing = True
            self._wanted.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            with contextlib.closing(_connect(self._path, synchronous="NORMAL")) as database:
                while self._serve(database):
                    pass
        except (OSError, sqlite3.Error) as error:
            logger.critical("%s: cannot be synced, no session goes on", self._path, exc_info=True)
            with self._wanted:
                # Whoever waits would wait for ever.
                self.failure = error
                waiting, self._waiting = self._waiting, []
            for done in waiting:
                done.set()

    def _serve(self, database: sqlite3.Connection) -> bool:
        """Do what is asked for next; return False at the end."""
        with self._wanted:
            while not (self._waiting or self._wants_checkpoint or self._is_closing):
                self._wanted.wait()
            if self._is_closing and not self._waiting:
                return False
            # They stay in the list until they are served: a failure must reach them.
            waiting = self._waiting[:]
            wants_checkpoint, self._wants_checkpoint = self._wants_checkpoint, False
        if waiting:
            _sync(self._path)
            with self._wanted:
                del self._waiting[: len(waiting)]
            for done in waiting:
                done.set()
        if wants_checkpoint:
            try:
                # It syncs the log before and the file after, as far as no reader is in the way.
                database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error as error:
                logger.warning("%s: the log is moved later: %s", self._path, error)
        return True


def _encode(number: int, record: Record) -> list[object]:
    """Return a record as JSON has it, short where it can be: most of them only refer."""
    if record.body or record.header:
        header = None if record.header is None else list(record.header.items())
        return [
            number,
            record.type,
            record.sending_time_ns,
            record.reference,
            record.body,
            header,
        ]
    return [number, record.type, record.sending_time_ns, record.reference]


def _decode(row: list[object]) -> tuple[int, Record]:
    number, msg_type, sending_time_ns, reference, *rest = row
    body, header = rest or ("", None)
    assert isinstance(number, int)
    return number, Record(
        str(msg_type),
        int(str(sending_time_ns)),
        str(body),
        None if header is None else Fields((tag, value) for tag, value in header),  # type: ignore[attr-defined]
        reference if isinstance(reference, int) else None,
    )


def _connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    # The thread does it.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def _create_or_check(connection: sqlite3.Connection) -> None:
    (identity,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if identity == 0 and version == 0:
        connection.executescript(
            f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA application_id = {_APPLICATION_ID};"
            f"PRAGMA user_version = {_VERSION};COMMIT"
        )
    elif identity != _APPLICATION_ID:
        raise StoreError("it is a database of something else")
    elif version != _VERSION:
        raise StoreError(f"it has version {version}, this program writes version {_VERSION}")


def _lock(path: Path) -> int:
    """Keep other gateways out; returns the open file that holds the lock.

    Raises:
        StoreError: another has it.
    """
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(f"{path}: another gateway uses it") from None
    return descriptor


def _sync(path: Path) -> None:
    """Wait until what stands in the write-ahead log is on the disk."""
    descriptor = os.open(path.with_name(path.name + "-wal"), os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
