"""Chunks: how entries are joined, taken apart and cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.feeds import (
    EntriesMalformed,
    FeedChunk,
    FeedKind,
    cut,
    divide,
    rest,
    split,
    wrap,
)

MESSAGES = st.lists(
    st.one_of(st.binary(max_size=40), st.integers(120, 20_000).map(lambda size: b"x" * size)),
    max_size=12,
)


def chunk_of(messages: list[bytes], first: int = 1) -> FeedChunk:
    data = b"".join(wrap(message) for message in messages)
    return FeedChunk(FeedKind.EXECUTIONS, "alice", first, first + len(messages) - 1, data)


def test_an_entry_is_a_length_delimited_field_1() -> None:
    assert wrap(b"abc") == b"\x0a\x03abc"
    assert wrap(b"") == b"\x0a\x00"
    assert wrap(b"x" * 300) == b"\x0a\xac\x02" + b"x" * 300


@given(MESSAGES)
def test_split_undoes_wrap(messages: list[bytes]) -> None:
    assert split(chunk_of(messages).data) == messages


@given(MESSAGES, st.integers(1, 1000), st.integers(0, 12))
def test_cut_drops_what_is_not_after(messages: list[bytes], first: int, dropped: int) -> None:
    dropped = min(dropped, len(messages))
    data = cut(chunk_of(messages, first).data, first, first + dropped - 1)
    assert split(data) == messages[dropped:]


def test_rest_renumbers_what_it_keeps() -> None:
    chunk = chunk_of([b"a", b"b", b"c"], first=5)
    assert rest(chunk, after=2) is chunk
    assert rest(chunk, after=5) == chunk_of([b"b", b"c"], first=6)


@given(MESSAGES.filter(bool), st.integers(1, 30_000))
def test_divided_chunks_are_consecutive_and_short(messages: list[bytes], bytes_max: int) -> None:
    chunk = chunk_of(messages, first=7)
    pieces = divide(chunk, bytes_max=bytes_max)
    assert b"".join(piece.data for piece in pieces) == chunk.data
    assert [pieces[0].first, pieces[-1].last] == [chunk.first, chunk.last]
    for before, after in itertools.pairwise(pieces):
        assert after.first == before.last + 1
    for piece in pieces:
        assert len(split(piece.data)) == piece.last - piece.first + 1
        assert len(piece.data) <= bytes_max or piece.first == piece.last


@pytest.mark.parametrize(
    "data",
    [b"\x0a", b"\x0a\x02a", b"\x12\x00", b"\x0a\x80", b"\x0a" + b"\x80" * 12],
    ids=["no length", "short message", "other field", "open length", "endless length"],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(EntriesMalformed):
        split(data)


def test_a_chunk_with_fewer_entries_than_it_says_is_not_divided() -> None:
    with pytest.raises(EntriesMalformed, match="offset 6: expected an entry, found the end"):
        divide(chunk_of([b"a", b"b"])._replace(last=3), bytes_max=3)
