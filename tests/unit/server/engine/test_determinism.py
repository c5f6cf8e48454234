"""Equal events give equal states: in another process, with another seed of Python's hashes."""

import os
import subprocess
import sys
from pathlib import Path

from tests.simulation.engine import live

ROOT = Path(__file__).resolve().parents[4]
SEED, STEPS = 7, 150
PROGRAM = f"""
from tests.simulation.engine import live
print(live({SEED}, {STEPS}).state.state_hash().hex())
"""


def test_state_hash_is_the_same_in_processes_with_other_hash_seeds() -> None:
    here = live(SEED, STEPS).state.state_hash().hex()
    for hash_seed in ("0", "1", "4242"):
        there = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        )
        assert there.stdout.strip() == here


def test_state_hash_tells_states_apart() -> None:
    hashes = {live(seed, 30).state.state_hash() for seed in range(5)}
    assert len(hashes) == 5
