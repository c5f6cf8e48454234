"""Long random days at a small venue, engine beside oracle: `python -m tests.simulation.engine`.

A seed decides everything, so a failing one can be run again alone: `--first SEED --seeds 1`. Every
command is checked as the state machine of the unit tests does it; a day is much longer here, and
ends with two recoveries, from the first event and from a snapshot in its midst.
"""

import argparse
import random
import time
from collections import Counter

from tests.support.replay import check_replay
from tests.support.traffic import Traffic, new_twin
from tests.support.twin import Twin


class DayFailed(Exception):
    """A day went wrong; the cause is attached."""


def live(seed: int, steps: int) -> Twin:
    """Return the twin at the end of a day."""
    chance = random.Random(seed)
    twin = new_twin()
    traffic = Traffic(twin, chance.choice)
    for number in range(steps):
        command = traffic.any()
        try:
            twin.do(command)
            twin.check_everything()
        except Exception as failure:
            raise DayFailed(f"seed {seed}, command {number}: {command}") from failure
    venue = twin.venue
    cut = chance.randrange(len(venue.events))
    try:
        check_replay(venue.state, venue.events, venue.recorder, cut=cut)
    except Exception as failure:
        raise DayFailed(f"seed {seed}, recovery from event {cut}") from failure
    return twin


def main(arguments: list[str] | None = None) -> None:
    """Run days and print what happened in them."""
    parser = argparse.ArgumentParser(prog="tests.simulation.engine", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="number of days")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--steps", type=int, default=1_000, help="commands a day")
    options = parser.parse_args(arguments)
    outcomes: Counter[str] = Counter()
    begin = time.monotonic()
    for seed in range(options.first, options.first + options.seeds):
        outcomes += live(seed, options.steps).outcomes
    seconds = time.monotonic() - begin
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:>9,} {outcome}")
    commands = options.seeds * options.steps
    print(f"{commands:,} commands in {options.seeds} days agree with the oracle, {seconds:.0f} s")


if __name__ == "__main__":
    main()
