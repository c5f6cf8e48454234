"""The journal as its users see it: what was appended is there, in order, after any reopening."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tradewire_server import feeds
from tradewire_server.feeds import FeedKind
from tradewire_server.journal import codec, snapshots
from tradewire_server.journal.errors import FeedOutOfRange, JournalError, JournalWriteFailed
from tradewire_server.journal.reader import JournalReader
from tradewire_server.journal.records import (
    Batch,
    CandleRow,
    ClosedOrderRow,
    Journal,
    Snapshot,
    StoredBatch,
)
from tradewire_server.journal.sqlite import SqliteJournal
from tradewire_server.journal.verify import verify

from tests.unit.server.journal.batches import (
    ACCOUNTS,
    START_NS,
    SYMBOL,
    batch_of,
    chunk_of,
    event_of,
    fill,
    open_journal,
)

EXECUTIONS = FeedKind.EXECUTIONS


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    journal = open_journal(tmp_path)
    yield journal
    journal.close()


def stored(batches: list[Batch]) -> list[StoredBatch]:
    return [StoredBatch(*batch[:4]) for batch in batches]


def empty_batch(journal: SqliteJournal) -> Batch:
    number = journal.last_event() + 1
    return Batch(number, number, START_NS + number, b"", [], [], [], [])


def test_it_is_a_journal(journal: SqliteJournal) -> None:
    typed: Journal = journal
    assert len(typed.journal_id) == 32


def test_a_new_journal_is_empty(journal: SqliteJournal) -> None:
    assert (journal.last_event(), journal.last_time_ns(), journal.epoch) == (0, 0, 1)
    assert list(journal.batches(0)) == []
    assert journal.feed_range(EXECUTIONS, "alice") == (1, 0)
    assert journal.read_feed(EXECUTIONS, "alice", after=0, max_bytes=1000) == []
    assert journal.latest_snapshot() is None
    assert journal.client_id_count() == 0
    assert journal.find_client_ids([("alice", "id-1")]) == {}


def test_batches_come_back_in_order(journal: SqliteJournal) -> None:
    appended = fill(journal, 150)
    assert list(journal.batches(0)) == stored(appended)
    assert list(journal.batches(appended[-1].last_event)) == []
    assert list(journal.batches(appended[70].last_event)) == stored(appended[71:])


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    appended = fill(journal, 5)
    journal_id = journal.journal_id
    journal.close()
    journal = open_journal(tmp_path)
    appended += fill(journal, 5)
    journal.close()
    journal = open_journal(tmp_path)
    assert (journal.journal_id, journal.epoch) == (journal_id, 3)
    assert journal.last_event() == appended[-1].last_event
    assert journal.last_time_ns() == appended[-1].time_ns
    assert list(journal.batches(0)) == stored(appended)
    assert journal.feed_range(EXECUTIONS, "bob") == (1, 30)
    assert len(journal.find_client_ids([(ACCOUNTS[n % 2], f"id-{n}") for n in range(40)])) == 30
    assert journal.client_id_count() == 30
    journal.close()


def test_events_are_numbered_from_the_batch(journal: SqliteJournal) -> None:
    fill(journal, 3)
    batches = [codec.decode_events(batch.payload) for batch in journal.batches(0)]
    assert [event for batch in batches for event in batch] == [event_of(n) for n in range(1, 10)]


@pytest.mark.parametrize(
    "change",
    [
        {"first_event": 3},
        {"first_event": 5, "last_event": 6},
        {"last_event": 3},
        {"time_ns": START_NS},
    ],
)
def test_a_batch_out_of_order_is_a_mistake_of_ours(
    journal: SqliteJournal, change: dict[str, Any]
) -> None:
    fill(journal, 1)
    with pytest.raises(AssertionError, match="batch of events"):
        journal.append(batch_of(4, 6)._replace(**change))
    assert journal.last_event() == 3
    fill(journal, 1)


def test_two_writers_at_once_are_a_mistake_of_ours(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def reserve() -> None:
        inside.set()
        go_on.wait()

    monkeypatch.setattr(journal._client_ids, "reserve", reserve)
    first = threading.Thread(target=journal.append, args=(batch_of(1, 3),))
    first.start()
    inside.wait()
    with pytest.raises(AssertionError, match="another thread"):
        journal.append(batch_of(1, 3))
    go_on.set()
    first.join()
    assert journal.last_event() == 3


def test_a_resumption_not_at_the_end_of_a_batch_is_refused(journal: SqliteJournal) -> None:
    fill(journal, 2)
    for after_event in (1, 4, 7):
        with pytest.raises(JournalError, match=f"event {after_event}: no batch ends with it"):
            list(journal.batches(after_event))


def test_the_files_are_the_owners_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    journal = open_journal(tmp_path)
    fill(journal, 1)
    modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    assert modes.keys() >= {"journal.sqlite", "journal.sqlite-wal", "client_ids.sqlite", "head"}
    assert set(modes.values()) == {0}
    journal.close()


# Feeds.


def test_a_feed_is_read_from_any_number(journal: SqliteJournal) -> None:
    fill(journal, 4)
    for after in range(13):
        chunks = journal.read_feed(EXECUTIONS, "alice", after=after, max_bytes=1 << 20)
        data = b"".join(chunk.data for chunk in chunks)
        assert data == chunk_of(EXECUTIONS, "alice", after + 1, 12).data
        numbers = [number for chunk in chunks for number in range(chunk.first, chunk.last + 1)]
        assert numbers == list(range(after + 1, 13))
    assert journal.read_feed(EXECUTIONS, "alice", after=99, max_bytes=1) == []


@pytest.mark.parametrize("max_bytes", [0, 1, 50, 100, 150, 300, 1000])
def test_a_feed_is_read_in_pages_of_any_size(journal: SqliteJournal, max_bytes: int) -> None:
    fill(journal, 10, events=4)
    after, parts = 0, []
    while chunks := journal.read_feed(EXECUTIONS, "bob", after=after, max_bytes=max_bytes):
        size = sum(len(chunk.data) for chunk in chunks)
        count = chunks[-1].last - after
        assert size <= max_bytes or count == 1
        after = chunks[-1].last
        parts += [part for chunk in chunks for part in feeds.split(chunk.data)]
    assert parts == feeds.split(chunk_of(EXECUTIONS, "bob", 1, 40).data)


def test_feeds_are_kept_apart_by_kind_and_key(journal: SqliteJournal) -> None:
    fill(journal, 1)
    fill_of_trades = journal.read_feed(FeedKind.TRADES, SYMBOL, after=0, max_bytes=1 << 20)
    assert fill_of_trades == [chunk_of(FeedKind.TRADES, SYMBOL, 1, 3)]
    assert journal.feed_range(FeedKind.LEDGER, "alice") == (1, 0)
    assert journal.feed_range(FeedKind.TRADES, "alice") == (1, 0)


def test_old_entries_are_out_of_range_once_removed(journal: SqliteJournal) -> None:
    appended = fill(journal, 10)
    assert journal.prune_feeds(appended[4].time_ns) == 4
    assert journal.prune_feeds(appended[4].time_ns) == 0
    assert journal.feed_range(EXECUTIONS, "alice") == (13, 30)
    for after in (0, 11):
        with pytest.raises(FeedOutOfRange) as caught:
            journal.read_feed(EXECUTIONS, "alice", after=after, max_bytes=1000)
        assert (caught.value.wanted, caught.value.first_available) == (after + 1, 13)
    (first, *_) = journal.read_feed(EXECUTIONS, "alice", after=12, max_bytes=1 << 20)
    assert first.first == 13
    assert list(journal.batches(0)) == stored(appended)


def test_removal_goes_in_steps_and_leaves_the_newest_chunk(journal: SqliteJournal) -> None:
    appended = fill(journal, 5)
    journal.append(empty_batch(journal)._replace(chunks=[chunk_of(EXECUTIONS, "alice", 16, 16)]))
    assert journal.prune_feeds(START_NS * 2, max_batches=4) == 4
    assert journal.prune_feeds(START_NS * 2, max_batches=4) == 2
    assert journal.prune_feeds(START_NS * 2, max_batches=4) == 0
    assert journal.feed_range(EXECUTIONS, "alice") == (16, 16)
    assert journal.feed_range(EXECUTIONS, "bob") == (13, 15)
    # What was left because it was the newest goes when it is not any more: there is never a hole.
    journal.append(empty_batch(journal)._replace(chunks=[chunk_of(EXECUTIONS, "bob", 16, 16)]))
    journal.append(empty_batch(journal)._replace(chunks=[chunk_of(EXECUTIONS, "bob", 17, 17)]))
    assert journal.prune_feeds(START_NS * 2) == 2
    assert journal.feed_range(EXECUTIONS, "bob") == (17, 17)
    assert list(journal.batches(0))[:5] == stored(appended)


# Rows.


def test_closed_orders_are_found_listed_and_filtered(journal: SqliteJournal) -> None:
    rows = [ClosedOrderRow("alice", n, ("A", "B")[n % 2], n * 10) for n in range(1, 8)]
    other = ClosedOrderRow("bob", 3, "A", 1)
    journal.append(empty_batch(journal)._replace(closed_orders=[*reversed(rows), other]))
    assert journal.closed_order("alice", 3) == rows[2]
    assert journal.closed_order("bob", 3) == other
    assert journal.closed_order("bob", 4) is None
    assert journal.closed_order("alice", 8) is None
    listed = journal.closed_orders("alice", after_order_id=0, symbol=None, limit=4)
    assert listed == rows[:4]
    listed = journal.closed_orders("alice", after_order_id=4, symbol=None, limit=100)
    assert listed == rows[4:]
    listed = journal.closed_orders("alice", after_order_id=2, symbol="A", limit=2)
    assert listed == [rows[3], rows[5]]
    assert journal.closed_orders("carol", after_order_id=0, symbol=None, limit=9) == []


def test_candles_of_a_minute_merge(journal: SqliteJournal) -> None:
    first = [CandleRow("A", 5, 10, 12, 9, 11, 100, 2), CandleRow("A", 6, 11, 11, 11, 11, 1, 1)]
    second = [CandleRow("A", 5, 11, 20, 10, 15, 50, 3), CandleRow("B", 5, 1, 1, 1, 1, 1, 1)]
    third = [CandleRow("A", 5, 15, 15, 2, 3, 1, 1)]
    for candles in (first, second, third):
        journal.append(empty_batch(journal)._replace(candles=candles))
    merged = CandleRow("A", 5, 10, 20, 2, 3, 151, 6)
    assert journal.candles("A", start_minute=0, end_minute=9, limit=9) == [merged, first[1]]
    assert journal.candles("A", start_minute=0, end_minute=6, limit=9) == [merged]
    assert journal.candles("A", start_minute=5, end_minute=9, limit=1) == [merged]
    assert journal.candles("A", start_minute=7, end_minute=9, limit=9) == []


def test_a_volume_beyond_63_bits_stops_there(journal: SqliteJournal) -> None:
    candle = CandleRow("A", 5, 1, 1, 1, 1, 2**62, 1)
    for _ in range(3):
        journal.append(empty_batch(journal)._replace(candles=[candle]))
    (merged,) = journal.candles("A", start_minute=5, end_minute=6, limit=1)
    assert merged.volume == 2**63 - 1


def test_names_are_stored_as_they_are(journal: SqliteJournal) -> None:
    name = "\"ü\\ '\n\U0001f600"
    rows = empty_batch(journal)._replace(
        chunks=[chunk_of(EXECUTIONS, name, 1, 2)],
        closed_orders=[ClosedOrderRow(name, 1, name, 1)],
        candles=[CandleRow(name, 1, 1, 1, 1, 1, 1, 1)],
    )
    journal.append(rows)
    assert journal.feed_range(EXECUTIONS, name) == (1, 2)
    assert journal.closed_order(name, 1) == rows.closed_orders[0]
    assert journal.candles(name, start_minute=0, end_minute=9, limit=1) == rows.candles


def test_a_name_with_a_nul_is_a_mistake_of_ours(journal: SqliteJournal) -> None:
    with pytest.raises(AssertionError, match="NUL"):
        journal.append(
            empty_batch(journal)._replace(closed_orders=[ClosedOrderRow("a\0b", 1, "A", 1)])
        )


def test_what_is_there_already_is_refused_and_stops_the_journal(journal: SqliteJournal) -> None:
    fill(journal, 1)
    again = empty_batch(journal)._replace(chunks=[chunk_of(EXECUTIONS, "alice", 1, 1)])
    with pytest.raises(JournalWriteFailed, match="batch of events 4 to 4 is not durable"):
        journal.append(again)
    with pytest.raises(JournalWriteFailed, match="an earlier append failed"):
        journal.append(batch_of(4, 6))
    with pytest.raises(JournalWriteFailed, match="an earlier append failed"):
        journal.prune_feeds(START_NS)
    assert journal.last_event() == 3
    assert journal.feed_range(EXECUTIONS, "bob") == (1, 3)


# Snapshots.


def test_the_newest_snapshot_is_found_after_reopening(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    appended = fill(journal, 4)
    for batch in appended[:3]:
        journal.write_snapshot(batch.last_event, batch.time_ns, b"hash", b"state")
    journal.close()
    journal = open_journal(tmp_path)
    snapshot = journal.latest_snapshot()
    assert snapshot == Snapshot(9, appended[2].time_ns, b"hash", b"state")
    assert list(journal.batches(snapshot.event_number)) == stored(appended[3:])
    journal.close()


def test_a_snapshot_before_the_first_event_is_possible(journal: SqliteJournal) -> None:
    journal.write_snapshot(0, 0, b"", b"nothing yet")
    assert journal.latest_snapshot() == Snapshot(0, 0, b"", b"nothing yet")


def test_a_snapshot_of_no_batch_is_a_mistake_of_ours(journal: SqliteJournal) -> None:
    fill(journal, 1)
    for event_number in (2, 4):
        with pytest.raises(AssertionError, match=f"no batch ends with event {event_number}"):
            journal.write_snapshot(event_number, 0, b"", b"")


def test_a_damaged_snapshot_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for batch in fill(journal, 2):
        journal.write_snapshot(batch.last_event, 0, b"", b"state")
    newest = max((tmp_path / "snapshots").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1] + b"!")
    snapshot = journal.latest_snapshot()
    assert snapshot is not None
    assert snapshot.event_number == 3
    journal.close()


def test_a_snapshot_of_another_history_is_passed_over(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "ours")
    other = open_journal(tmp_path / "other")
    fill(journal, 1)
    fill(other, 1)
    other.write_snapshot(3, 0, b"", b"theirs")
    (tmp_path / "other" / "snapshots").rename(tmp_path / "ours" / "snapshots")
    assert journal.latest_snapshot() is None
    journal.close()
    other.close()


def test_a_snapshot_behind_a_batch_that_never_was_is_passed_over(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    fill(journal, 1)
    snapshot = Snapshot(3, 0, b"", b"")
    snapshots.write(tmp_path, snapshot, journal_id=journal.journal_id, chain_hash=b"0" * 16)
    assert journal.latest_snapshot() is None
    (finding,) = verify(tmp_path)
    assert finding.finding == "it stands behind another history than this journal's"
    journal.close()


# Readers beside the writer.


def test_a_reader_beside_the_writer_sees_what_is_durable(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    reader = JournalReader(tmp_path)
    for _ in range(3):
        appended = fill(journal, 1)
        assert list(reader.batches(appended[0].first_event - 1)) == stored(appended)
    reader.close()
    journal.close()


def test_reading_from_many_threads_while_appending(journal: SqliteJournal) -> None:
    errors: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                last = journal.last_event()
                first_available, last_entry = journal.feed_range(EXECUTIONS, "alice")
                assert (first_available, last_entry >= last) == (1, True)
                chunks = journal.read_feed(EXECUTIONS, "alice", after=last // 2, max_bytes=10_000)
                assert not last or chunks[0].first == last // 2 + 1
        except BaseException as error:
            errors.append(error)
            raise

    readers = [threading.Thread(target=read) for _ in range(6)]
    for thread in readers:
        thread.start()
    fill(journal, 60)
    done.set()
    for thread in readers:
        thread.join()
    assert errors == []


def test_a_directory_without_a_journal_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="holds no journal"):
        JournalReader(tmp_path)
    (tmp_path / "journal.sqlite").touch()
    with pytest.raises(JournalError, match="never filled"):
        JournalReader(tmp_path)


def test_a_journal_that_was_never_filled_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").touch()
    journal = open_journal(tmp_path)
    fill(journal, 1)
    journal.close()
