"""Entries: any run of messages survives wrapping, and is cut at any number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire.v1 import order_pb2
from tradewire_server import feeds

messages = st.lists(st.binary(max_size=300), max_size=20)


@given(messages)
def test_split_returns_what_was_wrapped(parts: list[bytes]) -> None:
    data = b"".join(map(feeds.wrap, parts))
    assert feeds.split(data) == parts
    assert feeds.count(data) == len(parts)


@given(messages, st.integers(1, 1000), st.integers(-3, 25))
def test_cut_drops_entries_up_to_a_number(parts: list[bytes], first: int, dropped: int) -> None:
    data = b"".join(map(feeds.wrap, parts))
    left = feeds.cut(data, first, first - 1 + dropped)
    assert feeds.split(left) == parts[max(dropped, 0) :]


@given(messages, st.integers(0, 3000))
def test_take_returns_what_fits_but_at_least_one(parts: list[bytes], max_bytes: int) -> None:
    data = b"".join(map(feeds.wrap, parts))
    taken, count = feeds.take(data, max_bytes)
    assert feeds.split(taken) == parts[:count]
    if parts:
        assert count >= 1
        assert len(taken) <= max_bytes or count == 1
    if count < len(parts):
        assert len(taken) + len(feeds.wrap(parts[count])) > max_bytes


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_152])
def test_lengths_around_the_steps_of_a_varint(size: int) -> None:
    message = b"x" * size
    assert feeds.split(feeds.wrap(message) + feeds.wrap(b"next")) == [message, b"next"]


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"\x12\x01a", 0),  # another field
        (b"\x0a", 0),  # no length
        (b"\x0a\x80", 0),  # half a length
        (b"\x0a\x05abc", 0),  # half a message
        (b"\x0a\x01a\x0a\x02b", 3),  # the second one is cut
        (b"\x0a\xff\xff\xff\xff\xff\x01", 0),  # a length that does not end
    ],
)
def test_malformed_data_is_refused_with_its_offset(data: bytes, offset: int) -> None:
    with pytest.raises(feeds.EntriesMalformed) as caught:
        feeds.split(data)
    assert caught.value.offset == offset


@given(st.binary(max_size=60))
def test_any_bytes_are_entries_or_refused(data: bytes) -> None:
    try:
        parts = feeds.split(data)
    except feeds.EntriesMalformed:
        return
    assert feeds.count(data) == len(parts)


def test_chunks_end_to_end_are_a_message_of_the_contract() -> None:
    executions = [order_pb2.Execution(sequence=number) for number in (1, 2, 3)]
    wrapped = [feeds.wrap(execution.SerializeToString()) for execution in executions]
    batch = order_pb2.ExecutionBatch.FromString(b"".join(wrapped))
    assert list(batch.executions) == executions
