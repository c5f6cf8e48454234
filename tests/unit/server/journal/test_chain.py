"""The chain: each field of a batch, and its place in the order, is proven."""

from typing import Any

import pytest
from tradewire_server.feeds import FeedKind
from tradewire_server.journal import chain
from tradewire_server.journal.chain import BatchRow, ChainCheck
from tradewire_server.journal.errors import JournalDamaged
from tradewire_server.journal.records import ClientIdRow

from tests.unit.server.journal.batches import batch_of

GENESIS = chain.genesis("journal")


def rows_of(*bounds: tuple[int, int]) -> list[BatchRow]:
    rows: list[BatchRow] = []
    for first, last in bounds:
        batch = batch_of(first, last)
        rows.append(
            chain.seal(
                batch,
                epoch=1,
                previous_hash=rows[-1].hash if rows else GENESIS,
                chunks_hash=chain.digest(chain.encode_annex(batch)),
            )
        )
    return rows


def follow(rows: list[BatchRow]) -> None:
    check = ChainCheck(last_event=0, last_hash=GENESIS)
    for row in rows:
        check.follow(row)


def test_sealed_batches_follow_each_other() -> None:
    follow(rows_of((1, 3), (4, 4), (5, 9)))


@pytest.mark.parametrize(
    ("change", "place", "finding"),
    [
        ({"payload": b"other"}, "batch of events 4 to 6", "CRC"),
        ({"time_ns": 5}, "batch of events 4 to 6", "CRC"),
        ({"epoch": 2}, "batch of events 4 to 6", "CRC"),
        ({"last_event": 7}, "batch of events 4 to 7", "CRC"),
        ({"crc": 1}, "batch of events 4 to 6", "CRC"),
        ({"hash": b"0" * 16}, "batch of events 4 to 6", "hash"),
        ({"previous_hash": b"0" * 16}, "batch of events 4 to 6", "hash"),
        ({"chunks_hash": b"0" * 16}, "batch of events 4 to 6", "hash"),
        ({"first_event": 5}, "event 4", "missing"),
        ({"payload": None}, "batch of events 4 to 6", "a column"),
        ({"crc": "text"}, "batch of events 4 to 6", "CRC"),
        ({"last_event": -1}, "batch of events 4 to -1", "a column"),
    ],
)
def test_a_changed_column_is_named(change: dict[str, Any], place: str, finding: str) -> None:
    first, second = rows_of((1, 3), (4, 6))
    with pytest.raises(JournalDamaged) as caught:
        follow([first, second._replace(**change)])
    assert caught.value.place == place
    assert finding in caught.value.finding


def test_a_batch_of_another_history_breaks_the_chain() -> None:
    ours = rows_of((1, 3))
    theirs = rows_of((1, 2), (3, 3), (4, 6))
    with pytest.raises(JournalDamaged, match="does not follow"):
        follow([*ours, theirs[2]])


def test_a_batch_of_another_journal_breaks_the_chain() -> None:
    check = ChainCheck(last_event=0, last_hash=chain.genesis("another"))
    with pytest.raises(JournalDamaged, match="does not follow"):
        check.follow(rows_of((1, 3))[0])


@pytest.mark.parametrize("change", [{"time_ns": 0}, {"epoch": 0}])
def test_time_and_epoch_never_go_back(change: dict[str, int]) -> None:
    first = rows_of((1, 3))[0]
    batch = batch_of(4, 6, time_ns=change.get("time_ns"))
    second = chain.seal(
        batch, epoch=change.get("epoch", 1), previous_hash=first.hash, chunks_hash=b"0" * 16
    )
    with pytest.raises(JournalDamaged, match="time or epoch"):
        follow([first, second])


def test_a_batch_without_events_is_refused() -> None:
    batch = batch_of(1, 1)._replace(last_event=0)
    row = chain.seal(batch, epoch=1, previous_hash=GENESIS, chunks_hash=b"0" * 16)
    with pytest.raises(JournalDamaged, match="no events"):
        follow([row])


def test_the_annex_names_every_chunk_id_and_closed_order() -> None:
    batch = batch_of(1, 3)
    annex = chain.decode_annex(chain.encode_annex(batch), "here")
    assert annex.chunks == [chain.chunk_digest(chunk) for chunk in batch.chunks]
    assert annex.client_ids == batch.client_ids
    assert annex.closed_orders == batch.closed_orders
    assert isinstance(annex.client_ids[0], ClientIdRow)


@pytest.mark.parametrize("data", [b"", b"\x90", b"\xc1", b"\x93\x90\x90\x91\x05"])
def test_an_annex_that_is_none_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(JournalDamaged, match="here"):
        chain.decode_annex(data, "here")


def test_the_crc_of_a_chunk_covers_where_it_belongs() -> None:
    def crc(kind: int = 1, key: str = "a", first: int = 1, last: int = 2, data: bytes = b"") -> int:
        return chain.chunk_crc(kind, key, first=first, last=last, data=data)

    assert crc() == crc(FeedKind.EXECUTIONS)
    assert len({crc(), crc(2), crc(key="b"), crc(first=2), crc(last=3), crc(data=b"x")}) == 6
