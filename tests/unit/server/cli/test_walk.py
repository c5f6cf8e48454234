"""The bots' price: whole ticks, bounded steps, equal for equal seeds, never far for long."""

import itertools
from random import Random

import pytest
from tradewire_server.cli.bots.walk import PriceWalk


def _day(seed: int, *, anchor: int = 60_000, step: int = 40, steps: int = 20_000) -> list[int]:
    walk = PriceWalk(anchor, step_ticks=step, random=Random(seed))
    return [walk.advance() for _ in range(steps)]


def test_equal_seeds_give_equal_days() -> None:
    assert _day(7, steps=500) == _day(7, steps=500)
    assert _day(7, steps=500) != _day(8, steps=500)


def test_a_step_is_bounded_and_the_price_stays_near_its_anchor() -> None:
    day = [60_000, *_day(1)]
    assert all(abs(after - before) <= 40 + 20 for before, after in itertools.pairwise(day))
    assert 58_000 < min(day) < 60_000 < max(day) < 62_000


def test_the_price_never_falls_below_one_step() -> None:
    assert min(_day(3, anchor=12, step=10)) >= 10


def test_impossible_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="smaller than the anchor"):
        PriceWalk(10, step_ticks=10, random=Random(0))
