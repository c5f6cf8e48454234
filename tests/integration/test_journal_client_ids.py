"""The index of client ids: every id is found for as long as retention says, whatever happens."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tradewire_server.journal import client_ids
from tradewire_server.journal.client_ids import FILE_NAME, ClientIdIndex, Progress, key_of
from tradewire_server.journal.errors import JournalDamaged, JournalWriteFailed
from tradewire_server.journal.records import ClientIdRow
from tradewire_server.journal.sqlite import DAY_NS, SqliteJournal

from tests.unit.server.journal.batches import START_NS, batch_of, client_id_of, fill, open_journal

HOUR_NS = DAY_NS // 24


class Feeder:
    """Hands an index the rows of one batch after the other."""

    def __init__(self, index: ClientIdIndex) -> None:
        self.index = index
        self.event = index.found_complete_to.event

    def add(self, *names: str, time_ns: int = START_NS, account: str = "alice") -> None:
        rows = []
        for name in names:
            self.event += 1
            rows.append(ClientIdRow(account, name, b"hash", self.event, self.event))
        self.index.reserve()
        self.index.add(Progress(self.event, b"h" * 16), time_ns, rows)


def open_index(directory: Path, *, flush_at: int = 4, **options: int) -> ClientIdIndex:
    options = {"retention_ns": DAY_NS, "last_time_ns": 0, "pending_max": 64, **options}
    return ClientIdIndex(directory, journal_id="ours", flush_at=flush_at, **options)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ClientIdIndex]:
    index = open_index(tmp_path)
    yield index
    index.close()


def names_in_file(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM client_ids ORDER BY key")]


def found(index: ClientIdIndex, *names: str, account: str = "alice") -> list[str]:
    return [name for _, name in index.find([(account, name) for name in names])]


def test_ids_are_found_before_and_after_they_are_written(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    feeder = Feeder(index)
    feeder.add("a", "b", "c")
    assert found(index, "a", "b", "c", "d") == ["a", "b", "c"]
    index.close()
    index = open_index(tmp_path)
    assert found(index, "a", "b", "c", "d") == ["a", "b", "c"]
    assert index.found_complete_to == Progress(3, b"h" * 16)
    assert index.find([("alice", "b")]) == {
        ("alice", "b"): ClientIdRow("alice", "b", b"hash", 2, 2)
    }
    index.close()


def test_ids_of_other_accounts_are_other_ids(index: ClientIdIndex) -> None:
    feeder = Feeder(index)
    feeder.add("b:c", "x", "y", "z", account="a")
    assert found(index, "b:c", account="a") == ["b:c"]
    assert found(index, "c", account="a:b") == []
    assert key_of(1, "a", "b:c") != key_of(1, "a:b", "c")


@pytest.mark.parametrize("count", [0, 1, 8, 9, 64, 65, 256, 257, 512])
def test_any_number_of_ids_is_looked_up(tmp_path: Path, count: int) -> None:
    index = open_index(tmp_path, pending_max=2000)
    names = [f"id-{number}" for number in range(512)]
    Feeder(index).add(*names)
    index.close()
    index = open_index(tmp_path)
    assert found(index, *names[:count]) == names[:count]
    assert found(index, *(f"absent-{number}" for number in range(count))) == []
    index.close()


def test_every_durable_id_is_found_while_the_thread_moves_it(tmp_path: Path) -> None:
    index = open_index(tmp_path, flush_at=3, pending_max=20)
    feeder = Feeder(index)
    added: list[str] = []
    done = threading.Event()

    def add() -> None:
        for number in range(1500):
            name = f"id-{number}"
            feeder.add(name)
            added.append(name)
        done.set()

    writer = threading.Thread(target=add)
    writer.start()
    while not done.is_set():
        names = added[-40:]
        assert found(index, *names) == names or set(found(index, *names)) == set(names)
    writer.join()
    assert len(index.find([("alice", name) for name in added])) == 1500
    assert len(index._pending) <= 20
    index.close()


def test_the_writer_waits_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    flush = ClientIdIndex._flush

    def slow(self: ClientIdIndex, groups: list[client_ids._Group]) -> None:
        go_on.wait()
        flush(self, groups)

    monkeypatch.setattr(ClientIdIndex, "_flush", slow)
    index = open_index(tmp_path, flush_at=2, pending_max=4)
    feeder = Feeder(index)
    feeder.add("a", "b", "c", "d")
    waiting = threading.Thread(target=feeder.add, args=("e",))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    go_on.set()
    waiting.join()
    assert found(index, "a", "e") == ["a", "e"] or found(index, "a", "e") == ["e", "a"]
    index.close()


# Retention.


def test_ids_are_found_for_24_hours_at_least(tmp_path: Path) -> None:
    index = open_index(tmp_path, flush_at=1)
    feeder = Feeder(index)
    late = START_NS + DAY_NS - 1
    feeder.add("late", time_ns=late)
    feeder.add("tick", time_ns=late + DAY_NS)
    assert found(index, "late") == ["late"]
    index.close()
    index = open_index(tmp_path, flush_at=1, last_time_ns=late + DAY_NS)
    assert found(index, "late") == ["late"]
    index.close()


def test_ids_beyond_retention_are_free_again_and_the_newer_use_counts(tmp_path: Path) -> None:
    index = open_index(tmp_path, flush_at=1000)
    feeder = Feeder(index)
    feeder.add("again", time_ns=START_NS)
    feeder.add("tick", time_ns=START_NS + 2 * DAY_NS)
    index.close()
    index = open_index(tmp_path, flush_at=1000, last_time_ns=START_NS + 2 * DAY_NS)
    feeder = Feeder(index)
    assert found(index, "again", "tick") == ["tick"]
    feeder.add("again", time_ns=START_NS + 2 * DAY_NS)
    assert index.find([("alice", "again")])["alice", "again"].order_id == 3
    index.close()


def test_a_longer_retention_reaches_further_and_the_newest_use_counts(tmp_path: Path) -> None:
    index = open_index(tmp_path, retention_ns=3 * DAY_NS)
    feeder = Feeder(index)
    for day in range(4):
        feeder.add("same", f"day-{day}", time_ns=START_NS + day * DAY_NS)
    index.close()
    index = open_index(tmp_path, retention_ns=3 * DAY_NS, last_time_ns=START_NS + 3 * DAY_NS)
    assert set(found(index, "day-0", "day-3")) == {"day-0", "day-3"}
    assert index.find([("alice", "same")])["alice", "same"].order_id == 7
    index.close()


def test_old_periods_are_deleted_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_ids, "_PRUNE_AT_LEAST", 10)
    index = open_index(tmp_path, flush_at=1, pending_max=1000)
    Feeder(index).add(*(f"old-{number}" for number in range(25)))
    index.close()
    left = []
    for number in range(4):
        index = open_index(tmp_path, flush_at=1, pending_max=1000)
        Feeder(index).add(f"new-{number}", time_ns=START_NS + 2 * DAY_NS)
        index.close()
        left.append(sum("old" in key for key in names_in_file(tmp_path)))
        assert index.count(0) == number + 1
    # Each write deletes ten and twice what it added.
    assert left == [13, 1, 0, 0]


def test_the_count_is_of_what_is_retained(index: ClientIdIndex) -> None:
    feeder = Feeder(index)
    feeder.add("a", "b", "c", time_ns=START_NS + 23 * HOUR_NS)
    assert index.count(0) == 3
    feeder.add("d", "e", time_ns=START_NS + 25 * HOUR_NS)
    assert index.count(0) == 5
    # A venue at its bound is quiet: the clock alone frees what retention has passed.
    assert index.count(START_NS + 2 * DAY_NS) == 2
    assert index.count(START_NS + 3 * DAY_NS) == 0


def test_retention_below_24_hours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="24 hours"):
        SqliteJournal.open(tmp_path, now_ns=0, client_id_retention_ns=DAY_NS - 1)


# Together with the journal.


def all_ids(journal: SqliteJournal) -> list[tuple[str, str]]:
    return [client_id_of(number)[:2] for number in range(1, journal.last_event() + 1)]


def expect_all_found(journal: SqliteJournal) -> None:
    expected = {client_id_of(n)[:2]: client_id_of(n) for n in range(1, journal.last_event() + 1)}
    assert journal.find_client_ids(all_ids(journal)) == expected
    assert journal.client_id_count() == journal.last_event()


def test_a_lost_index_is_made_again(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 100)
    journal.close()
    client_ids.remove(tmp_path)
    journal = open_journal(tmp_path)
    expect_all_found(journal)
    journal.close()


@pytest.mark.parametrize("content", [b"nothing of ours" * 1000, b""])
def test_a_damaged_index_is_made_again(tmp_path: Path, content: bytes) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 10)
    journal.close()
    (tmp_path / FILE_NAME).write_bytes(content)
    journal = open_journal(tmp_path)
    expect_all_found(journal)
    journal.close()


@pytest.mark.parametrize(
    "change", ["PRAGMA user_version = 9", "UPDATE progress SET journal_id = 'x'"]
)
def test_an_index_of_something_else_is_made_again(tmp_path: Path, change: str) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 10)
    journal.close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection, connection:
        connection.execute(change)
    journal = open_journal(tmp_path)
    expect_all_found(journal)
    journal.close()


def test_an_older_index_is_brought_up_to_date(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 10)
    journal.close()
    older = (tmp_path / FILE_NAME).read_bytes()
    journal = open_journal(tmp_path)
    fill(journal, 10)
    journal.close()
    (tmp_path / FILE_NAME).write_bytes(older)
    journal = open_journal(tmp_path)
    expect_all_found(journal)
    journal.close()


def test_an_index_of_another_history_is_made_again(tmp_path: Path) -> None:
    """A restored copy went another way: what the index has seen since never happened."""
    journal = open_journal(tmp_path)
    fill(journal, 5)
    journal.close()
    copy = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    journal = open_journal(tmp_path)
    fill(journal, 5)
    journal.close()
    for name in ("journal.sqlite", "head"):
        (tmp_path / name).write_bytes(copy[name])
    journal = open_journal(tmp_path)
    assert journal.last_event() == 15
    expect_all_found(journal)
    assert journal.find_client_ids([client_id_of(16)[:2]]) == {}
    journal.close()


def test_ids_out_of_retention_are_not_taken_into_a_new_index(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 2)
    journal.append(batch_of(7, 9, time_ns=START_NS + 5 * DAY_NS))
    journal.close()
    client_ids.remove(tmp_path)
    journal = open_journal(tmp_path)
    assert set(journal.find_client_ids(all_ids(journal))) == {
        client_id_of(number)[:2] for number in (7, 8, 9)
    }
    assert journal.client_id_count() == 3
    journal.close()


def test_a_failing_index_stops_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_index: ClientIdIndex, _groups: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(ClientIdIndex, "_flush", fail)
    journal = open_journal(tmp_path)
    journal._client_ids._flush_at = 3
    fill(journal, 1)
    journal._client_ids._thread.join()
    with pytest.raises(JournalWriteFailed, match="index of client ids failed: disk I/O error"):
        fill(journal, 1)
    assert journal.last_event() == 3
    expect_all_found(journal)
    journal.close()
    monkeypatch.undo()
    journal = open_journal(tmp_path)
    assert journal.last_event() == 3
    expect_all_found(journal)
    journal.close()


def test_an_index_that_fails_at_the_opening_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reserve(_index: ClientIdIndex) -> None:
        raise JournalWriteFailed("the index of client ids failed")

    journal = open_journal(tmp_path)
    fill(journal, 2)
    journal.close()
    client_ids.remove(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(ClientIdIndex, "reserve", reserve)
        with pytest.raises(JournalWriteFailed, match="index of client ids"):
            open_journal(tmp_path)
    journal = open_journal(tmp_path)
    expect_all_found(journal)
    journal.close()


def test_damage_found_by_a_look_up_says_how_to_heal(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 2000, events=1)
    journal.close()
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    # The leaves behind the root: the heads of their pages.
    for offset in range(4 * 4096, len(data), 4096):
        data[offset : offset + 8] = b"\xff" * 8
    path.write_bytes(data)
    journal = open_journal(tmp_path)
    with pytest.raises(JournalDamaged, match="It can be made again"):
        journal.find_client_ids(all_ids(journal))
    journal.close()
