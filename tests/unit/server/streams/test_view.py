"""Differences between two states of a book."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.streams.view import Level, changes

SIDES = st.dictionaries(st.integers(1, 12), st.integers(1, 5))


def test_changes_are_new_other_and_removed_levels_best_first() -> None:
    before = [(105, 1), (104, 2), (103, 3)]
    after = [(106, 4), (104, 5), (103, 3)]
    assert changes(before, after, descending=True) == [(106, 4), (105, 0), (104, 5)]
    assert changes(before[::-1], after[::-1], descending=False) == [(104, 5), (105, 0), (106, 4)]


@given(SIDES, SIDES)
def test_changes_turn_one_side_into_the_other(old: dict[int, int], new: dict[int, int]) -> None:
    before: list[Level] = sorted(old.items())
    after: list[Level] = sorted(new.items())
    for price, lots in changes(before, after, descending=False):
        if lots:
            assert old.get(price) != lots
            old[price] = lots
        else:
            del old[price]
    assert sorted(old.items()) == after
