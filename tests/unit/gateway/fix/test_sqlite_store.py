"""What is left of FIX sessions after an orderly end, a crash and a loss of power."""

import errno
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_gateway.fix import sqlite_store
from tradewire_gateway.fix.message import Fields
from tradewire_gateway.fix.sqlite_store import (
    Position,
    Retention,
    SqliteStore,
    SqliteStores,
    StoreError,
    TooManySessions,
)
from tradewire_gateway.fix.store import MemoryStore, Numbers, Record

KEY = ("alice", "ALICE", "TW-ORDERS")


def report(sequence: int) -> Record:
    return Record("8", 1_700_000_000_000_000_000 + sequence, reference=sequence)


REFUSAL = Record("8", 1_700_000_000_000_000_000, "37=NONE\x0158=no \xe9\x01", Fields({97: "Y"}))


@pytest.fixture
def boot(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what decides which start of the machine this is."""

    def set_boot(name: str) -> None:
        monkeypatch.setattr(sqlite_store, "_boot_id", lambda: name)

    set_boot("first")
    return set_boot


@pytest.fixture
def stores(tmp_path: Path, boot: object) -> Iterator[SqliteStores]:
    with SqliteStores(tmp_path / "fix.db") as stores:
        yield stores


def crashed(stores: SqliteStores, to: Path) -> Path:
    """Return what a crash leaves at this moment."""
    for suffix in ("", "-wal"):
        source = stores.path.with_name(stores.path.name + suffix)
        if source.exists():
            shutil.copy(source, to.with_name(to.name + suffix))
    return to


def test_what_was_stored_is_there_after_an_orderly_end(tmp_path: Path) -> None:
    with SqliteStores(tmp_path / "fix.db") as stores:
        store = stores.open(*KEY)
        assert store.numbers() == Numbers(1, 1)
        store.append(1, None)
        store.append(2, report(7))
        store.append(3, REFUSAL)
        store.set_next_inbound(5)
        store.commit()
    with SqliteStores(tmp_path / "fix.db") as stores:
        store = stores.open(*KEY)
        assert store.numbers() == Numbers(4, 5)
        assert store.position.reported == 7
        assert store.read(1, 99, 10) == [(2, report(7)), (3, REFUSAL)]


def test_a_crash_loses_nothing_and_skips_no_number(stores: SqliteStores, tmp_path: Path) -> None:
    store = stores.open(*KEY)
    for number in range(1, 50):
        store.append(number, report(number))
        store.commit()
    with SqliteStores(crashed(stores, tmp_path / "copy.db")) as again:
        found = again.open(*KEY)
        assert found.numbers() == Numbers(50, 1)
        assert found.position.resend_until == 0
        assert len(found.read(1, 0x7FFFFFFF, 1000)) == 49


def test_what_was_not_committed_was_not_stored(stores: SqliteStores, tmp_path: Path) -> None:
    store = stores.open(*KEY)
    store.append(1, report(1))
    store.commit()
    store.append(2, report(2))
    with SqliteStores(crashed(stores, tmp_path / "copy.db")) as again:
        assert again.open(*KEY).numbers() == Numbers(2, 1)


def test_after_a_loss_of_power_no_number_is_used_twice(
    stores: SqliteStores, tmp_path: Path, boot: Callable[[str], None]
) -> None:
    """The disk has nothing but the ceiling of the last sync; 900 numbers more were used since."""
    store = stores.open(*KEY)
    store.append(1, report(1))
    store.commit()
    left = crashed(stores, tmp_path / "copy.db")
    for number in range(2, 900):
        store.append(number, report(number))
        store.commit()
    boot("second")
    with SqliteStores(left) as again:
        found = again.open(*KEY)
        assert found.numbers().outbound >= 900
        assert found.position == Position(1, "", -1)
        found.append(found.numbers().outbound, report(2))
        found.commit()


@pytest.mark.parametrize("used", [999, 1_000, 1_001, 3_999, 4_000, 4_001, 12_345])
def test_whatever_was_used_was_below_a_ceiling_that_was_synced(
    stores: SqliteStores, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss of power right after any commit goes on behind every number that was used."""
    synced = [0]

    def note_ceiling(path: Path) -> None:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            (synced[0],) = connection.execute("SELECT max(ceiling) FROM session").fetchone()
        connection.close()

    monkeypatch.setattr(sqlite_store, "_sync", note_ceiling)
    store = stores.open(*KEY)
    for number in range(1, used + 1):
        store.append(number, None)
        if number % 7 == 0 or number == used:
            store.commit()
            assert number < synced[0]


async def test_a_reset_session_begins_at_one_for_good(
    stores: SqliteStores, tmp_path: Path, boot: Callable[[str], None]
) -> None:
    store = stores.open(*KEY)
    store.append(1, report(1))
    store.set_next_inbound(9)
    store.commit()
    store.reset()
    await store.reserve()
    boot("second")
    with SqliteStores(crashed(stores, tmp_path / "copy.db")) as again:
        found = again.open(*KEY)
        assert found.numbers().inbound == 1
        assert found.read(1, 99, 10) == []
    # What the session asks for once more changes nothing.
    store.reset()
    store.append(1, report(2))
    store.commit()
    assert store.numbers() == Numbers(2, 1)


def test_sessions_do_not_see_each_other(stores: SqliteStores) -> None:
    first, second = stores.open(*KEY), stores.open("bob", *KEY[1:])
    first.append(1, report(1))
    first.commit()
    assert second.numbers() == Numbers(1, 1)
    assert second.read(1, 99, 10) == []


def test_only_the_newest_messages_are_kept(tmp_path: Path) -> None:
    with SqliteStores(tmp_path / "fix.db", Retention(messages=100)) as stores:
        store = stores.open(*KEY)
        for number in range(1, 2_000):
            store.append(number, report(number))
            store.commit()
        kept = [number for number, _ in store.read(1, 5_000, 5_000)]
        assert kept == list(range(kept[0], 2_000))
        assert 100 <= len(kept) <= 100 + 256


def test_what_is_kept_is_bounded_by_its_size(tmp_path: Path) -> None:
    large = REFUSAL._replace(body="58=" + "x" * 2_000 + "\x01")
    with SqliteStores(tmp_path / "fix.db", Retention(bytes=100_000)) as stores:
        store = stores.open(*KEY)
        for number in range(1, 500):
            store.append(number, large)
            store.commit()
        assert stores.size_of(1) <= 100_000
        kept = [number for number, _ in store.read(1, 500, 500)]
        assert kept == list(range(kept[0], 500))
        assert len(kept) >= 40
        # What was there is counted at the next logon, too.
        store = stores.open(*KEY)
        for number in range(500, 600):
            store.append(number, large)
            store.commit()
        assert stores.size_of(1) <= 100_000
        store.reset()
        store.commit()
        store.append(1, large)
        store.commit()
        assert [number for number, _ in store.read(1, 500, 500)] == [1]


def test_a_chunk_is_read_and_no_more(stores: SqliteStores, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stores.open(*KEY)
    for number in range(1, 4_001):
        store.append(number, report(number))
        if number % 100 == 0:
            store.commit()
    decoded = list[object]()
    decode = sqlite_store._decode

    def count(row: list[object]) -> tuple[int, Record]:
        decoded.append(row)
        return decode(row)

    monkeypatch.setattr(sqlite_store, "_decode", count)
    assert [number for number, _ in store.read(51, 4_000, 120)] == list(range(51, 171))
    assert len(decoded) < 300


def test_after_a_sync_that_failed_nothing_is_written_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = SqliteStores(tmp_path / "fix.db")
    store, other = stores.open(*KEY), stores.open("bob", "BOB", "TW-ORDERS")

    def fail(path: Path) -> None:
        raise OSError(errno.EIO, "the disk is broken", str(path))

    monkeypatch.setattr(sqlite_store, "_sync", fail)
    errors = list[Exception]()

    def use() -> None:
        for each in (store, other, store):
            try:
                for number in range(each.numbers().outbound, each.numbers().outbound + 5_000):
                    each.append(number, report(number))
                    each.commit()
            except StoreError as error:
                errors.append(error)

    # It would wait for ever, and the gateway with it.
    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert len(errors) == 3
    assert all("the disk is broken" in str(error) for error in errors)
    stores.close()
    monkeypatch.undo()
    with SqliteStores(tmp_path / "fix.db") as again:
        assert again.open(*KEY).numbers().outbound > 1


def test_a_log_that_cannot_be_moved_now_is_moved_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "_COMMITS_PER_CHECKPOINT", 1)
    real = sqlite_store._connect
    attempts = list[str]()

    class Full:
        """A connection whose disk has no room for a checkpoint."""

        def __init__(self, connection: sqlite3.Connection) -> None:
            self.close = connection.close

        def execute(self, statement: str) -> None:
            attempts.append(statement)
            raise sqlite3.OperationalError("database or disk is full")

    def connect(path: Path, *, synchronous: str) -> object:
        connection = real(path, synchronous=synchronous)
        return Full(connection) if synchronous == "NORMAL" else connection

    monkeypatch.setattr(sqlite_store, "_connect", connect)
    with SqliteStores(tmp_path / "fix.db") as stores:
        store = stores.open(*KEY)
        for number in range(1, 10_000):
            store.append(number, report(number))
            if number % 10 == 0:
                store.commit()
    assert "PRAGMA wal_checkpoint(PASSIVE)" in attempts
    with SqliteStores(tmp_path / "fix.db") as again:
        assert again.open(*KEY).numbers().outbound == 9_991


def test_an_account_has_so_many_sessions_and_keeps_those(tmp_path: Path) -> None:
    with SqliteStores(tmp_path / "fix.db", Retention(sessions_per_account=2)) as stores:
        stores.open("alice", "A", "TW-ORDERS")
        stores.open("alice", "B", "TW-ORDERS")
        with pytest.raises(TooManySessions):
            stores.open("alice", "C", "TW-ORDERS")
        stores.open("alice", "A", "TW-ORDERS")
        stores.open("bob", "C", "TW-ORDERS")


def test_two_gateways_do_not_share_a_file(stores: SqliteStores) -> None:
    with pytest.raises(StoreError, match="another gateway"):
        SqliteStores(stores.path)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id = 7")
    connection.close()
    with pytest.raises(StoreError, match="something else"):
        SqliteStores(path)


Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["report", "gap", "refusal", "commit", "read"]), st.just(0)),
        st.tuples(st.just("skip"), st.integers(1, 5)),
        st.tuples(st.just("reset"), st.just(0)),
    ),
    max_size=60,
)


@given(steps=STEPS, begin=st.integers(1, 60), length=st.integers(0, 60), limit=st.integers(1, 20))
def test_it_remembers_what_the_store_in_memory_does(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[Step],
    begin: int,
    length: int,
    limit: int,
) -> None:
    with SqliteStores(tmp_path_factory.mktemp("store") / "fix.db") as stores:
        store: SqliteStore = stores.open(*KEY)
        memory = MemoryStore()
        for kind, count in steps:
            number = memory.numbers().outbound + count
            for each in (store, memory):
                match kind:
                    case "report":
                        each.append(number, report(number))
                    case "gap" | "skip":
                        each.append(number, None)
                    case "refusal":
                        each.append(number, REFUSAL)
                    case "reset":
                        each.reset()
                    case "read":
                        each.read(1, 10, 10)
            if kind == "commit":
                store.commit()
        assert store.numbers() == memory.numbers()
        found = store.read(begin, begin + length, limit)
        assert found == memory.read(begin, begin + length, limit)
