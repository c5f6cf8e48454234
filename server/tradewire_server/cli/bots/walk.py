"""The price that the bots believe in: a random walk in whole ticks that keeps coming back."""

from random import Random

# The pull towards the anchor, as a fraction of the distance per step: 1 / 256.
REVERSION = 256


class PriceWalk:
    """A mean-reverting random walk; chance is given, so that equal seeds give equal days."""

    def __init__(self, anchor_ticks: int, *, step_ticks: int, random: Random) -> None:
        if not 0 < step_ticks < anchor_ticks:
            raise ValueError("a step is positive and smaller than the anchor")
        self._anchor = anchor_ticks
        self._step = step_ticks
        self._random = random
        self.ticks = anchor_ticks

    def advance(self) -> int:
        """Take one step and return where it leads; never below one step."""
        pull = (self._anchor - self.ticks) // REVERSION
        moved = self.ticks + pull + self._random.randint(-self._step, self._step)
        self.ticks = max(self._step, moved)
        return self.ticks
