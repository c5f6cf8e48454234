"""Verify, dump and diff: the whole journal is proven, shown and compared, never changed."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tradewire_server.engine.events import (
    EVENT_TYPES,
    Event,
    InstrumentListed,
    KeyRecord,
    KeyStored,
    OrderCanceled,
)
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.vocabulary import Reason
from tradewire_server.journal import client_ids, codec
from tradewire_server.journal.errors import JournalDamaged, JournalError
from tradewire_server.journal.records import Batch
from tradewire_server.journal.sqlite import DAY_NS
from tradewire_server.journal.verify import Finding, diff, dump, summary, verify

from tests.unit.server.journal.batches import START_NS, batch_of, fill, open_journal


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def journal_of(directory: Path, *events: Event) -> None:
    with closing(open_journal(directory)) as journal:
        payload = codec.encode_events(events)
        journal.append(Batch(1, len(events), START_NS, payload, [], [], [], []))


def test_a_sound_journal_has_no_findings(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        for batch in fill(journal, 70)[::30]:
            journal.write_snapshot(batch.last_event, batch.time_ns, b"", b"state")
        assert list(verify(tmp_path)) == []
    assert list(verify(tmp_path)) == []


def test_an_empty_journal_has_no_findings(tmp_path: Path) -> None:
    open_journal(tmp_path).close()
    assert list(verify(tmp_path)) == []


def test_a_journal_without_its_old_feed_chunks_has_no_findings(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        appended = fill(journal, 10)
        journal.prune_feeds(appended[6].time_ns)
    assert list(verify(tmp_path)) == []


def test_verify_changes_nothing(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 10)
        shutil.copytree(tmp_path, tmp_path / "image")
    before = {path.name: path.read_bytes() for path in (tmp_path / "image").iterdir()}
    assert list(verify(tmp_path / "image")) == []
    after = {path.name: path.read_bytes() for path in (tmp_path / "image").iterdir()}
    durable = [name for name in before if not name.endswith("-shm")]
    assert [after[name] for name in durable] == [before[name] for name in durable]


def test_every_damage_is_listed_not_only_the_first(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        for batch in fill(journal, 10):
            journal.write_snapshot(batch.last_event, batch.time_ns, b"", b"state")
    database = tmp_path / "journal.sqlite"
    execute(database, "UPDATE batches SET payload = x'00' WHERE first_event = 4")
    execute(database, "UPDATE batches SET annex = x'00' WHERE first_event = 7")
    execute(database, "DELETE FROM feed_chunks WHERE kind = 3 AND first = 10")
    execute(database, "UPDATE feed_chunks SET last = 14 WHERE kind = 3 AND first = 13")
    execute(database, "UPDATE feed_chunks SET data = x'' WHERE kind = 3 AND first = 16")
    execute(database, "UPDATE feed_chunks SET crc = 1 WHERE kind = 3 AND first = 19")
    execute(database, "DELETE FROM batches WHERE first_event = 22")
    execute(database, "DELETE FROM feed_chunks WHERE kind = 1 AND key = 'bob' AND first = 1")
    snapshot = max((tmp_path / "snapshots").iterdir())
    snapshot.write_bytes(b"")
    findings = list(verify(tmp_path))
    trades = "of feed TRADES of BTC-USD"
    for expected in [
        ("batch of events 4 to 6", "the CRC is "),
        ("batch of events 7 to 9", "the hash of its annex does not match"),
        ("batch of events 10 to 12", f"entries 10 to 12 {trades} are missing"),
        ("batch of events 13 to 15", f"entries 13 to 15 {trades} end with 14"),
        ("batch of events 16 to 18", f"the hash of entries 16 to 18 {trades} does not match"),
        ("batch of events 19 to 21", f"the CRC of entries 19 to 21 {trades} does not match"),
        ("event 22", "missing, the next batch begins with event 25"),
        ("batch of events 1 to 3", "entries 1 to 3 of feed EXECUTIONS of bob are missing"),
        ("feed TRADES of BTC-USD", "its entries leave a gap or overlap"),
        ("feed EXECUTIONS of bob", "it begins with entry 4"),
        (str(snapshot), "it does not begin as a snapshot"),
    ]:
        matching = [found for found in findings if found.place == expected[0]]
        assert any(found.finding.startswith(expected[1]) for found in matching), expected


def test_damage_of_a_table_is_found_beside_that_of_others(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 2)
    database = tmp_path / "journal.sqlite"
    execute(database, "UPDATE batches SET crc = crc + 1 WHERE first_event = 1")
    execute(database, "ALTER TABLE closed_orders RENAME COLUMN sequence TO another")
    findings = [found.finding for found in verify(tmp_path)]
    assert any("CRC" in finding for finding in findings)
    assert any("no such column" in finding for finding in findings)


def test_an_index_that_lost_an_id_is_found_and_so_is_a_changed_one(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 3)
    index = tmp_path / client_ids.FILE_NAME
    execute(index, "DELETE FROM client_ids WHERE key LIKE '%id-4'")
    execute(index, "UPDATE client_ids SET order_id = 1 WHERE key LIKE '%id-7'")
    findings = list(verify(tmp_path))
    assert [found.finding.split(" of ")[0] for found in findings] == [
        "client id id-4",
        "client id id-7",
    ]
    assert all("it is made again" in found.finding for found in findings)


def test_an_index_that_will_be_made_again_is_no_finding(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 3)
    index = tmp_path / client_ids.FILE_NAME
    execute(index, "UPDATE progress SET journal_id = 'other'")
    assert list(verify(tmp_path)) == []
    index.unlink()
    assert list(verify(tmp_path)) == []


def test_ids_beyond_retention_are_not_looked_for(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 2)
        journal.append(batch_of(7, 9, time_ns=START_NS + 3 * DAY_NS))
    execute(tmp_path / client_ids.FILE_NAME, "DELETE FROM client_ids WHERE key LIKE '20000:%'")
    assert list(verify(tmp_path)) == []


def test_a_database_behind_its_head_is_a_finding(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 3)
    client_ids.remove(tmp_path)
    execute(tmp_path / "journal.sqlite", "DELETE FROM batches WHERE first_event = 7")
    assert any("events 7 to 9 are missing" in found.finding for found in verify(tmp_path))


def test_snapshots_of_elsewhere_are_findings(tmp_path: Path) -> None:
    for name in ("ours", "other"):
        with closing(open_journal(tmp_path / name)) as journal:
            fill(journal, 2)
            journal.write_snapshot(3, 0, b"", b"")
    copy = tmp_path / "ours" / "snapshots" / f"{9:020d}.snapshot"
    theirs = tmp_path / "other" / "snapshots" / f"{3:020d}.snapshot"
    copy.write_bytes(theirs.read_bytes())
    (found,) = verify(tmp_path / "ours")
    assert found.place == str(copy)
    assert found.finding.startswith("it belongs to journal")


def test_a_snapshot_of_missing_events_is_a_finding(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 1)
        journal.write_snapshot(3, 0, b"", b"")
    execute(tmp_path / "journal.sqlite", "DELETE FROM batches")
    assert any(
        "stands behind" in found.finding or "missing" in found.finding for found in verify(tmp_path)
    )


def test_a_database_that_cannot_be_walked_is_a_finding(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 200)
    path = tmp_path / "journal.sqlite"
    data = bytearray(path.read_bytes())
    for offset in range(12 * 4096, len(data), 4096):
        data[offset : offset + 8] = b"\xff" * 8
    path.write_bytes(data)
    findings = list(verify(tmp_path))
    assert all(isinstance(found, Finding) for found in findings)
    assert len(findings) > 1


def test_no_journal_is_an_error_not_a_finding(tmp_path: Path) -> None:
    for action in (verify, dump):
        with pytest.raises(JournalError, match="holds no journal"):
            list(action(tmp_path))
    with pytest.raises(JournalError, match="holds no journal"):
        summary(tmp_path)


def test_the_summary_of_a_journal(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 3)
        journal.write_snapshot(6, 0, b"", b"")
        described = summary(tmp_path)
        assert described.journal_id == journal.journal_id
    assert described[1:5] == (START_NS, 1, 9, START_NS + 7)
    assert described[6:] == (9, (6,))
    assert len(described.last_hash) == 32


def test_the_summary_of_an_empty_journal(tmp_path: Path) -> None:
    open_journal(tmp_path).close()
    described = summary(tmp_path)
    assert (described.last_event, described.head_event, described.snapshot_events) == (0, 0, ())


# Dump.


def test_events_are_dumped_as_lines_of_json(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 3)
        lines = [json.loads(line) for line in dump(tmp_path)]
    assert [line["event"] for line in lines] == list(range(1, 10))
    assert lines[3] == {
        "event": 4,
        "time_ns": START_NS + 4,
        "type": "Deposited",
        "account": "alice",
        "asset": "USD",
        "amount": 4,
        "request_id": "request-4",
    }
    assert [json.loads(line)["event"] for line in dump(tmp_path, after_event=3, until_event=7)] == [
        4,
        5,
        6,
        7,
    ]


def test_a_dump_names_enumerations_and_hides_secrets(tmp_path: Path) -> None:
    instrument = Instrument("A", "B", "C", 1, 2, 3, 4, 5, 6, 7, 8, 9, 2**70, 11, 12)
    key = KeyRecord("k", "alice", "hmac", b"\x01\x02", b"sealed", ("read", "trade"), (), "", 5)
    journal_of(
        tmp_path,
        InstrumentListed(instrument),
        KeyStored(key),
        OrderCanceled(7, Reason(0)),
    )
    listed, stored, canceled = (json.loads(line) for line in dump(tmp_path))
    assert listed["instrument"]["status"] == "TRADING"
    assert listed["instrument"]["maximum_notional"] == str(2**70)
    assert stored["key"]["public_key"] == "0102"
    assert stored["key"]["sealed_secret"] == "6 bytes"
    assert stored["key"]["scopes"] == ["read", "trade"]
    assert canceled["reason"] == Reason(0).name


def test_no_field_of_an_event_hides_what_a_dump_says_of_it() -> None:
    for record in EVENT_TYPES:
        assert not {"event", "time_ns"} & set(record._fields), record


def test_a_dump_stops_at_damage_with_its_place(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path)) as journal:
        fill(journal, 3)
    execute(tmp_path / "journal.sqlite", "UPDATE batches SET payload = x'' WHERE first_event = 4")
    lines = dump(tmp_path)
    assert [json.loads(next(lines))["event"] for _ in range(3)] == [1, 2, 3]
    with pytest.raises(JournalDamaged, match="batch of events 4 to 6"):
        next(lines)


# Diff.


def test_equal_journals_do_not_differ(tmp_path: Path) -> None:
    for name, events in (("a", 2), ("b", 3)):
        with closing(open_journal(tmp_path / name)) as journal:
            for first in range(1, 13, events):
                journal.append(batch_of(first, first + events - 1, time_ns=START_NS))
    # How events were grouped into batches is no difference.
    assert list(diff(tmp_path / "a", tmp_path / "b")) == []


def test_the_first_difference_is_shown(tmp_path: Path) -> None:
    journal_of(tmp_path / "a", OrderCanceled(1, Reason(0)), OrderCanceled(2, Reason(0)))
    journal_of(tmp_path / "b", OrderCanceled(1, Reason(0)), OrderCanceled(3, Reason(0)))
    headline, ours, theirs = diff(tmp_path / "a", tmp_path / "b")
    assert headline == "event 2 differs"
    assert (json.loads(ours[2:])["order_id"], json.loads(theirs[2:])["order_id"]) == (2, 3)


def test_a_longer_journal_differs_behind_the_end_of_the_other(tmp_path: Path) -> None:
    journal_of(tmp_path / "a", OrderCanceled(1, Reason(0)))
    journal_of(tmp_path / "b", OrderCanceled(1, Reason(0)), OrderCanceled(2, Reason(0)))
    assert list(diff(tmp_path / "a", tmp_path / "b"))[:2] == [
        "event 2 differs",
        "- the journal ends",
    ]
    assert list(diff(tmp_path / "b", tmp_path / "a"))[2] == "+ the journal ends"
