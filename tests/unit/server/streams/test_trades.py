"""Runs of public trades."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.streams.trades import TradeRun

from tests.unit.server.streams.stage import entries, numbers


def test_a_run_joins_what_is_consecutive() -> None:
    run = TradeRun(count_max=10)
    run.add(entries(3, 4))
    run.add(entries(5, 5))
    assert (len(run), run.take()) == (3, entries(3, 5))
    assert (len(run), run.take()) == (0, None)


def test_a_gap_begins_a_new_run() -> None:
    run = TradeRun(count_max=10)
    run.add(entries(3, 4))
    run.add(entries(6, 7))
    assert run.take() == entries(6, 7)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 30))
def test_a_run_holds_the_newest_trades(sizes: list[int], count_max: int) -> None:
    run = TradeRun(count_max=count_max)
    last = 0
    for size in sizes:
        run.add(entries(last + 1, last + size))
        last += size
        assert len(run) == min(last, count_max)
    taken = run.take()
    assert taken is not None
    assert numbers([taken]) == list(range(max(1, last - count_max + 1), last + 1))
