"""Over a bad link between two FIX sides no message is lost and none is doubled."""

from pathlib import Path

import pytest
from tradewire_gateway.fix.quickfix_xml import load_quickfix_xml
from tradewire_gateway.fix.validation import Validator

from tests.simulation.fix_world import World

_DICTIONARY = Path(__file__).parents[1] / "acceptance" / "fix" / "dictionary.xml"
_STEPS = 400


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(load_quickfix_xml(_DICTIONARY.read_bytes()))


def _live(seed: int, validator: Validator) -> World:
    """Let a world live and check what it has come to."""
    world = World(seed, validator)
    for _ in range(_STEPS):
        world.step()
    world.mend()
    for side in (world.initiator, world.acceptor):
        assert side.received == list(range(side.peer.sent)), f"seed {seed}: {side.name}"
        assert side.prices == sorted(set(side.prices)), f"seed {seed}: {side.name}"
    return world


def test_nothing_is_lost_or_doubled(validator: Validator) -> None:
    worlds = [_live(seed, validator) for seed in range(40)]
    sides = [side for world in worlds for side in (world.initiator, world.acceptor)]
    assert sum(side.sent for side in sides) > 1000
    # Without this the test would not have seen what it is about.
    assert sum(side.repeats for side in sides) > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_is_lost_or_doubled_in_a_thousand_worlds(validator: Validator) -> None:
    for seed in range(1000, 2000):
        _live(seed, validator)
