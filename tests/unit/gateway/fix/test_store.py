"""The store in memory keeps numbers and records, and gives ranges in pieces."""

import pytest
from tradewire_gateway.fix.store import MemoryStore, Numbers, Record


def test_numbers_begin_at_one_and_go_on() -> None:
    store = MemoryStore()
    assert store.numbers() == Numbers(1, 1)
    store.append(1, None)
    store.set_next_inbound(5)
    assert store.numbers() == Numbers(2, 5)
    # After a crash numbers may be left out, but none is used twice.
    store.append(9, None)
    assert store.numbers() == Numbers(10, 5)
    with pytest.raises(AssertionError, match="an outbound number is used once"):
        store.append(9, None)


def test_records_are_read_in_pieces_and_gaps_are_not() -> None:
    store = MemoryStore()
    records = {number: Record("8", number) for number in (2, 3, 5, 8)}
    for number in range(1, 10):
        store.append(number, records.get(number))
    assert store.read(1, 9, 10) == list(records.items())
    assert store.read(3, 5, 10) == [(3, records[3]), (5, records[5])]
    assert store.read(3, 9, 2) == [(3, records[3]), (5, records[5])]
    assert store.read(6, 7, 2) == []


def test_a_reset_forgets_all() -> None:
    store = MemoryStore()
    store.append(1, Record("8", 0))
    store.set_next_inbound(7)
    store.reset()
    assert store.numbers() == Numbers(1, 1)
    assert store.read(1, 9, 9) == []
