"""Long random days of the engine, by seed; `python -m tests.simulation.engine` runs any number."""

import pytest

from tests.simulation.engine import live


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(30))
def test_a_day_agrees_with_the_oracle(seed: int) -> None:
    assert live(seed, 1_500).outcomes["TRADE UNSPECIFIED"] > 50
