"""What was acknowledged survives every crash, or the journal refuses to open."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tradewire_server import feeds
from tradewire_server.feeds import FeedKind
from tradewire_server.journal import codec, database
from tradewire_server.journal.errors import (
    JournalBehindHead,
    JournalDamaged,
    JournalError,
    JournalFull,
    JournalLocked,
    JournalVersionUnknown,
    JournalWriteFailed,
)
from tradewire_server.journal.head import read as read_head
from tradewire_server.journal.reader import JournalReader
from tradewire_server.journal.sqlite import SqliteJournal, check_end
from tradewire_server.journal.verify import verify

from tests.unit.server.journal.batches import (
    ACCOUNTS,
    START_NS,
    SYMBOL,
    batch_of,
    chunk_of,
    client_id_of,
    event_of,
    fill,
    open_journal,
)

DATABASE = "journal.sqlite"
WAL = "journal.sqlite-wal"


def crash(directory: Path, image: Path) -> Path:
    """Copy what a crash at this moment would leave."""
    shutil.rmtree(image, ignore_errors=True)
    shutil.copytree(directory, image, ignore=shutil.ignore_patterns("*-shm"))
    return image


def expect_prefix(reader: JournalReader | SqliteJournal) -> int:
    """Check that what is there is a run of batches from the first, with all that follows of them.

    Returns its last event.
    """
    last = 0
    for batch in reader.batches(0):
        assert batch.first_event == last + 1
        last = batch.last_event
        events = [event_of(number) for number in range(batch.first_event, last + 1)]
        assert codec.decode_events(batch.payload) == events
    feeds = [*((FeedKind.EXECUTIONS, account) for account in ACCOUNTS), (FeedKind.TRADES, SYMBOL)]
    for kind, key in feeds:
        assert reader.feed_range(kind, key) == (1, last)
        chunks = reader.read_feed(kind, key, after=0, max_bytes=1 << 30)
        assert b"".join(chunk.data for chunk in chunks) == chunk_of(kind, key, 1, last).data
    closed = reader.closed_orders("alice", after_order_id=0, symbol=None, limit=1 << 30)
    assert [row.order_id for row in closed] == list(range(3, last + 1, 3))
    return last


def expect_sound(directory: Path) -> int:
    """Open, check and verify a journal; return its last event."""
    with closing(open_journal(directory)) as journal:
        last = expect_prefix(journal)
        ids = [client_id_of(number)[:2] for number in range(1, last + 1)]
        assert len(journal.find_client_ids(ids)) == last
    assert list(verify(directory)) == []
    return last


# One writer.


def test_a_second_writer_is_refused_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    writer = start_writer(tmp_path)
    assert writer.stdout is not None
    writer.stdout.readline()
    with pytest.raises(JournalLocked) as caught:
        open_journal(tmp_path)
    assert caught.value.pid == writer.pid
    assert f"process {writer.pid}" in str(caught.value)
    stop(writer)
    open_journal(tmp_path).close()


def test_a_second_journal_in_this_process_is_refused_too(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)), pytest.raises(JournalLocked):
        open_journal(tmp_path)
    (tmp_path / "lock").write_text("?")
    journal = open_journal(tmp_path)
    journal.close()
    journal._lock.release()


def test_a_lock_without_a_name_is_refused_too(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)):
        (tmp_path / "lock").write_text("")
        with pytest.raises(JournalLocked, match="another process"):
            open_journal(tmp_path)


def test_verify_works_while_another_process_writes(tmp_path: Path) -> None:
    writer = start_writer(tmp_path)
    assert writer.stdout is not None
    for _ in range(20):
        writer.stdout.readline()
    assert list(verify(tmp_path)) == []
    assert writer.poll() is None
    stop(writer)


# Crashes.


def start_writer(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.server.journal.writer", str(directory), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Kill the process; return the last event it acknowledged and what it complained about."""
    process.kill()
    output, complaint = process.communicate()
    lines = output.split("\n")[:-1]
    return (int(lines[-1]) if lines else 0), complaint


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    random = Random(1)
    last = 0
    for _ in range(5):
        writer = start_writer(tmp_path)
        assert writer.stdout is not None
        acknowledged = 0
        for _ in range(random.randrange(1, 120)):
            acknowledged = int(writer.stdout.readline())
        rest, complaint = stop(writer)
        assert (complaint, writer.returncode) == ("", -signal.SIGKILL)
        acknowledged = max(acknowledged, rest)
        recovered = expect_sound(tmp_path)
        assert recovered >= acknowledged > last
        last = recovered


def test_a_full_disk_stops_the_writer_and_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: writing beyond it fails."""
    last = 0
    for limit in (300_000, 600_000):
        writer = start_writer(tmp_path, str(limit))
        output, complaint = writer.communicate()
        assert writer.returncode in (JournalWriteFailed.exit_code, JournalFull.exit_code)
        assert "not durable" in complaint
        recovered = expect_sound(tmp_path)
        assert recovered >= int(output.split()[-1]) > last
        last = recovered


def test_a_disk_without_any_room_refuses_the_opening(tmp_path: Path) -> None:
    writer = start_writer(tmp_path, "0")
    _, complaint = writer.communicate()
    assert writer.returncode in (JournalWriteFailed.exit_code, JournalFull.exit_code)
    assert str(tmp_path) in complaint
    assert expect_sound(tmp_path) == 0


@pytest.fixture
def torn(tmp_path: Path) -> Iterator[tuple[Path, list[int], SqliteJournal]]:
    """Give a crashed journal with everything in its log, its batches' ends, and the live one."""
    live = open_journal(tmp_path / "live")
    ends = [0, *(batch.last_event for batch in fill(live, 12))]
    yield crash(tmp_path / "live", tmp_path / "image"), ends, live
    live.close()


def wal_offsets(size: int) -> Iterator[int]:
    """Yield offsets at and around the ends of all frames, and some within."""
    random = Random(2)
    for frame in range(32, size + 1, 24 + 4096):
        yield from {frame - 1, frame, frame + 1, frame + 23, frame + random.randrange(24, 4120)}
    yield from range(32)


def expect_prefix_or_refusal(image: Path, ends: list[int]) -> int:
    """Check that the image holds whole batches; and is refused if any is missing."""
    with closing(database.connect_reader(image / DATABASE)) as connection:
        if not database.check_version(connection, image / DATABASE):
            # Not even the schema is whole.
            with pytest.raises(JournalBehindHead):
                open_journal(image)
            return 0
    with closing(JournalReader(image)) as reader:
        last = expect_prefix(reader)
        assert last in ends
        if last == ends[-1]:
            check_end(reader, read_head(image))
        else:
            with pytest.raises(JournalBehindHead) as caught:
                check_end(reader, read_head(image))
            assert (caught.value.last_event, caught.value.head_event) == (last, ends[-1])
    return last


def test_a_log_cut_anywhere_leaves_whole_batches_and_is_refused(
    torn: tuple[Path, list[int], SqliteJournal],
) -> None:
    image, ends, _ = torn
    wal = (image / WAL).read_bytes()
    seen = set()
    for size in sorted({offset for offset in wal_offsets(len(wal)) if offset < len(wal)}):
        (image / WAL).write_bytes(wal[:size])
        (image / (WAL[:-3] + "shm")).unlink(missing_ok=True)
        seen.add(expect_prefix_or_refusal(image, ends))
    assert seen == set(ends[:-1])
    (image / WAL).write_bytes(wal)
    assert expect_sound(image) == ends[-1]


def test_a_log_damaged_anywhere_leaves_whole_batches_and_is_refused(
    torn: tuple[Path, list[int], SqliteJournal],
) -> None:
    image, ends, _ = torn
    wal = (image / WAL).read_bytes()
    for offset in sorted({offset for offset in wal_offsets(len(wal)) if offset < len(wal)})[::3]:
        flipped = bytes((wal[offset] ^ 0x10,))
        (image / WAL).write_bytes(wal[:offset] + flipped + wal[offset + 1 :])
        (image / (WAL[:-3] + "shm")).unlink(missing_ok=True)
        expect_prefix_or_refusal(image, ends)


def test_a_refusal_changes_nothing(torn: tuple[Path, list[int], SqliteJournal]) -> None:
    image, ends, _ = torn
    wal = (image / WAL).read_bytes()
    # One byte of the last quarter: acknowledged batches follow it, and may yet be saved by hand.
    offset = len(wal) * 3 // 4
    (image / WAL).write_bytes(wal[:offset] + bytes((wal[offset] ^ 1,)) + wal[offset + 1 :])
    before = {path.name: path.read_bytes() for path in image.iterdir() if path.name != "lock"}
    with pytest.raises(JournalBehindHead, match=f"head records event {ends[-1]}"):
        open_journal(image)
    after = {path.name: path.read_bytes() for path in image.iterdir()}
    assert {name: after[name] for name in before} == before


def test_without_a_head_file_a_torn_tail_is_dropped(
    torn: tuple[Path, list[int], SqliteJournal],
) -> None:
    image, ends, _ = torn
    wal = (image / WAL).read_bytes()
    (image / WAL).write_bytes(wal[:-100])
    (image / "head").unlink()
    assert expect_sound(image) == ends[-2]
    head = read_head(image)
    assert head is not None
    assert head.last_event == ends[-2]


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"torn"])
def test_a_torn_head_file_is_written_again(tmp_path: Path, content: bytes) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 2)
    (tmp_path / "head").write_bytes(content)
    assert expect_sound(tmp_path) == 6
    head = read_head(tmp_path)
    assert head is not None
    assert head.last_event == 6


def test_a_head_file_behind_the_database_is_brought_up(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 2)
        older = (tmp_path / "head").read_bytes()
        fill(journal, 2)
    (tmp_path / "head").write_bytes(older)
    assert expect_sound(tmp_path) == 12


# What is missing.


def test_a_missing_database_is_refused(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 2)
    (tmp_path / DATABASE).unlink()
    with pytest.raises(JournalBehindHead, match=r"ends at event 0, but .*head records event 6"):
        open_journal(tmp_path)
    assert not (tmp_path / DATABASE).exists()


def test_an_older_database_is_refused(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 2)
    older = (tmp_path / DATABASE).read_bytes()
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 2)
    (tmp_path / DATABASE).write_bytes(older)
    with pytest.raises(JournalBehindHead, match="7 to 12 are missing"):
        open_journal(tmp_path)


def test_a_snapshot_ahead_of_the_database_is_a_witness_too(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 2)
        older = crash(tmp_path, tmp_path.parent / "older")
        fill(journal, 1)
        journal.write_snapshot(9, 0, b"", b"")
    for name in (DATABASE, "head"):
        (tmp_path / name).unlink()
        (older / name).rename(tmp_path / name)
    (older / WAL).rename(tmp_path / WAL)
    with pytest.raises(JournalBehindHead, match=r"\.snapshot records event 9"):
        open_journal(tmp_path)
    for name in (DATABASE, WAL, "head"):
        (tmp_path / name).unlink()
    with pytest.raises(JournalBehindHead, match=r"\.snapshot records event 9"):
        open_journal(tmp_path)


def test_a_head_file_of_another_journal_is_refused(tmp_path: Path) -> None:
    for name in ("ours", "other"):
        with closing(open_journal(tmp_path / name)) as journal:
            fill(journal, 2)
    (tmp_path / "other" / "head").rename(tmp_path / "ours" / "head")
    with pytest.raises(JournalDamaged, match="belongs to journal"):
        open_journal(tmp_path / "ours")


def test_another_history_than_the_acknowledged_one_is_refused(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 1)
    older = (tmp_path / DATABASE).read_bytes()
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 1)
    head = (tmp_path / "head").read_bytes()
    (tmp_path / DATABASE).write_bytes(older)
    (tmp_path / "head").unlink()
    with closing(open_journal(tmp_path)) as journal:
        journal.append(batch_of(4, 6, time_ns=START_NS + 99))
    (tmp_path / "head").write_bytes(head)
    with pytest.raises(JournalDamaged, match="another one than was acknowledged"):
        open_journal(tmp_path)


# What is damaged.


def damage(directory: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


def recover(directory: Path) -> None:
    with closing(open_journal(directory)) as journal:
        expect_prefix(journal)


FLIPPED = "CAST(substr({0}, 1, 3) || x'00' || substr({0}, 5) AS BLOB)"
FLIP = f"UPDATE batches SET {{0}} = {FLIPPED} WHERE first_event = ?"
FLIP_CHUNK = (
    f"UPDATE feed_chunks SET data = {FLIPPED.format('data')}"
    " WHERE kind = 1 AND key = 'bob' AND first = ?"
)


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        *(
            (FLIP.format(column), "batch of events 10 to 12")
            for column in ("payload", "hash", "previous_hash", "chunks_hash")
        ),
        *(
            (f"UPDATE batches SET {column} = {column} + 1 WHERE first_event = ?", "batch of events")
            for column in ("crc", "time_ns", "epoch", "last_event")
        ),
        ("DELETE FROM batches WHERE first_event = ?", "event 10"),
        ("UPDATE batches SET first_event = 1000 WHERE first_event = ?", "batch of events 1000"),
        (FLIP_CHUNK, "feed EXECUTIONS of bob"),
        (
            "UPDATE feed_chunks SET last = last + 1 WHERE kind = 1 AND key = 'bob' AND first = ?",
            "feed EXECUTIONS of bob",
        ),
        (
            "UPDATE feed_chunks SET crc = crc + 1 WHERE kind = 3 AND first = ?",
            "feed TRADES of BTC-USD",
        ),
        (
            "DELETE FROM feed_chunks WHERE kind = 1 AND key = 'alice' AND first = ?",
            "feed EXECUTIONS of alice",
        ),
        (
            "UPDATE feed_chunks SET first = 8 WHERE kind = 1 AND key = 'alice' AND first = ?",
            "feed EXECUTIONS of alice",
        ),
    ],
)
def test_damage_in_the_database_is_refused_with_its_place(
    tmp_path: Path, statement: str, place: str
) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 10)
    damage(tmp_path, statement, 10)
    with pytest.raises(JournalDamaged) as caught:
        recover(tmp_path)
    assert caught.value.place.startswith(place)
    assert list(verify(tmp_path)) != []


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (FLIP.format("annex"), "annex"),
        ("DELETE FROM closed_orders WHERE order_id = ?2 - ?1 + 10", "closed order 12"),
        ("UPDATE closed_orders SET sequence = 1 WHERE order_id = 12 + 0 * ?", "closed order 12"),
        (
            "INSERT INTO closed_orders VALUES ('carol', ?, 'A', 1)",
            "there are 11, the batches hold 10",
        ),
        (
            "INSERT INTO feed_chunks VALUES (1, 'bob', 31, 20 + ?, 0, x'')",
            "there are 11 chunks, the batches hold 10",
        ),
        ("UPDATE batches SET last_event = 99 WHERE first_event = ?", "no batch ends with it"),
    ],
)
def test_what_recovery_does_not_read_is_found_by_verify(
    tmp_path: Path, statement: str, finding: str
) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 10)
    values = (10, 12) if "?2" in statement else (10,)
    damage(tmp_path, statement, *values)
    assert any(finding in found.finding for found in verify(tmp_path))


def test_a_flipped_byte_anywhere_is_noticed_or_without_effect(tmp_path: Path) -> None:
    """What is read is what was written, or the journal says that it is not."""
    with closing(open_journal(tmp_path)) as journal:
        last = fill(journal, 25)[-1].last_event
    path = tmp_path / DATABASE
    data = path.read_bytes()
    random = Random(3)
    noticed = 0
    for _ in range(250):
        offset = random.randrange(len(data))
        flipped = bytes((data[offset] ^ 1 << random.randrange(8),))
        path.write_bytes(data[:offset] + flipped + data[offset + 1 :])
        try:
            with closing(JournalReader(tmp_path)) as reader:
                check_end(reader, read_head(tmp_path))
                assert expect_prefix(reader) == last
        except JournalError:
            noticed += 1
            continue
        except AssertionError:
            # Feeds and closed orders that lost their end: the annexes know better.
            assert list(verify(tmp_path)) != []
            noticed += 1
    assert noticed > 50


def test_a_cut_database_is_refused(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 25)
    path = tmp_path / DATABASE
    data = path.read_bytes()
    for size in range(1, len(data), 4096 + 512):
        path.write_bytes(data[:size])
        with pytest.raises(JournalError):
            recover(tmp_path)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 2", "has schema 2, this release reads schema 1"),
        ("PRAGMA application_id = 1", "not a journal of Tradewire"),
    ],
)
def test_an_unknown_version_is_refused(tmp_path: Path, statement: str, message: str) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 1)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute(statement)
    for attempt in (open_journal, JournalReader):
        with pytest.raises(JournalVersionUnknown, match=message):
            attempt(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"something else " * 100)
    with pytest.raises(JournalDamaged, match="not a database"):
        open_journal(tmp_path)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalWriteFailed, match="cannot be used"):
        open_journal(tmp_path / "file")


# Writes that fail.


class FailingConnection:
    """A connection whose statements fail as the disk would make them."""

    def __init__(self, connection: sqlite3.Connection, code: int) -> None:
        self._connection = connection
        self._code = code

    def execute(self, *_arguments: Any) -> Any:
        error = sqlite3.OperationalError("as the disk says")
        error.sqlite_errorcode = self._code
        raise error

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, JournalFull),
        (sqlite3.SQLITE_IOERR_FSYNC, JournalWriteFailed),
        (sqlite3.SQLITE_IOERR_WRITE, JournalWriteFailed),
        (sqlite3.SQLITE_BUSY, JournalWriteFailed),
        (sqlite3.SQLITE_CORRUPT, JournalDamaged),
    ],
)
def test_a_failed_append_is_never_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[JournalError]
) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 1)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_writer", FailingConnection(journal._writer, code))
        with pytest.raises(kind, match="batch of events 4 to 6") as caught:
            fill(journal, 1)
        assert type(caught.value) is kind
    # The disk is well again; the journal does not care.
    with pytest.raises(JournalWriteFailed, match="an earlier append failed"):
        fill(journal, 1)
    assert journal.last_event() == 3
    assert expect_prefix(journal) == 3
    assert journal.find_client_ids([client_id_of(4)[:2]]) == {}
    journal.close()
    assert expect_sound(tmp_path) == 3


def test_a_removal_that_fails_stops_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 3)
    with monkeypatch.context() as patch:
        failing = FailingConnection(journal._writer, sqlite3.SQLITE_IOERR)
        patch.setattr(journal, "_writer", failing)
        with pytest.raises(JournalWriteFailed, match="removal of old feed chunks"):
            journal.prune_feeds(START_NS * 2)
    with pytest.raises(JournalWriteFailed, match="an earlier append failed"):
        fill(journal, 1)
    journal.close()
    assert expect_sound(tmp_path) == 9


def test_a_journal_that_cannot_be_made_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(connection: sqlite3.Connection, **_: object) -> None:
        FailingConnection(connection, sqlite3.SQLITE_FULL).execute()

    with monkeypatch.context() as patch:
        patch.setattr(database, "create", create)
        with pytest.raises(JournalFull, match="the opening of"):
            open_journal(tmp_path)
    open_journal(tmp_path).close()


def test_a_database_that_is_busy_is_not_called_damaged() -> None:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    with pytest.raises(JournalError, match="could not be read") as caught, database.reading("it"):
        raise error
    assert type(caught.value) is JournalError


def test_an_older_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_SQLITE_NEEDED", (99, 0, 0))
    with pytest.raises(JournalError, match=r"SQLite 99\.0\.0 is needed"):
        open_journal(tmp_path)


def test_a_file_system_without_a_log_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(_path: Path, _mode: str) -> sqlite3.Connection:
        return sqlite3.connect(":memory:")

    monkeypatch.setattr(database, "_connect", connect)
    with pytest.raises(JournalError, match="no write-ahead log, SQLite uses memory"):
        open_journal(tmp_path)


def test_a_head_file_that_cannot_be_written_stops_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record(_last_event: int, _hash: bytes) -> None:
        raise OSError(5, "Input/output error")

    journal = open_journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(journal._head, "record", record)
        with pytest.raises(JournalWriteFailed, match="the head file"):
            fill(journal, 1)
    with pytest.raises(JournalWriteFailed):
        fill(journal, 1)
    assert journal.last_event() == 0
    journal.close()
    # It was durable, though never acknowledged: recovery finds it.
    assert expect_sound(tmp_path) == 3


def test_a_database_locked_by_a_tool_can_still_be_read(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 1)
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as tool:
        tool.execute("BEGIN IMMEDIATE")
        assert expect_prefix(journal) == 3
        tool.execute("ROLLBACK")
    fill(journal, 1)
    journal.close()


def test_entries_of_a_chunk_are_counted_by_verify(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    batch = batch_of(1, 3)
    short = batch.chunks[0]._replace(data=feeds.wrap(b"only one"))
    journal.append(batch._replace(chunks=[short]))
    journal.close()
    assert [finding.finding for finding in verify(tmp_path)] == [
        "entries 1 to 3 of feed EXECUTIONS of alice are not that many"
    ]
