"""Repeats what may be repeated, and says so when the outcome stays unknown.

The danger is not the failed call, it is the call whose answer got lost. Rules of this file:

- A command is repeated as it is, with the same client order id: the venue answers a repeat as it
  answered the first, so repeating is a way of asking.
- What is not safe to repeat (a new API key) is sent once.
- After an attempt without an answer, only an answer that speaks about that attempt as well ends in
  a certain error (`settles`). A rate limit met by the repeat does not; then it is an
  UnknownOutcome.
- The number of attempts and the total time are bounded. Waits grow exponentially with full jitter,
  so that clients which failed together do not come back together. A rate limit says itself how long
  to wait.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tradewire_client._errors import (
    ClientClosed,
    ConfigurationError,
    Exhausted,
    Refused,
    Rejected,
    TradewireError,
    UnknownOutcome,
    is_transient,
    settles,
)
from tradewire_client._world import World

Result = TypeVar("Result")


class Effect(enum.Enum):
    """What a call does to the venue, and so what its repetition does."""

    NONE = "reads"
    REPEATABLE = "a repeat has no further effect"
    ONCE = "a repeat does it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often a call is repeated; times in seconds."""

    attempts: int = 6
    """Greatest number of attempts, the first included."""
    deadline: float = 15.0
    """Total time for all attempts and the waits between them."""
    attempt_timeout: float = 5.0
    """Time for one attempt."""
    initial_backoff: float = 0.1
    """Bound of the first wait; each next one is twice that."""
    maximum_backoff: float = 2.0
    """Bound of all waits."""

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigurationError("at least one attempt is needed")
        if (
            min(self.deadline, self.attempt_timeout, self.initial_backoff, self.maximum_backoff)
            <= 0
        ):
            raise ConfigurationError("times must be positive")

    def backoff(self, failures: int, *, random: Callable[[], float]) -> float:
        """Return the wait after so many failures in a row, from 1: full jitter."""
        # The exponent is bounded so that it never leaves the range of floats.
        bound = min(self.maximum_backoff, self.initial_backoff * 2.0 ** min(failures - 1, 32))
        return random() * bound


class NotSent(Exception):
    """An attempt ended before anything left: its error is certain, whatever it is."""

    def __init__(self, error: TradewireError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Answered(Generic[Result]):
    """The result of a call, and how many earlier attempts may have had an effect as well."""

    result: Result
    earlier_attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A call as the retry loop sees it."""

    name: str
    effect: Effect
    client_order_id: str = ""


class Retrier:
    """Runs attempts until one is answered."""

    def __init__(self, policy: RetryPolicy, world: World) -> None:
        self.policy = policy
        self._world = world

    async def run(self, work: Work, attempt: Callable[[float], Awaitable[Result]]) -> Result:
        """Return the result of the first attempt that has one; `attempt` is given its time-out.

        Raises:
            As `answer`.
        """
        return (await self.answer(work, attempt)).result

    async def answer(
        self, work: Work, attempt: Callable[[float], Awaitable[Result]]
    ) -> Answered[Result]:
        """Return the result as `run` does, and what is known of earlier attempts.

        Raises:
            UnknownOutcome: it may have happened, and nobody could say.
            TradewireError: it certainly did not, or it was a read.
        """
        end = self._world.monotonic() + self.policy.deadline
        number = unclear = 0
        while True:
            number += 1
            sent = True
            try:
                left = end - self._world.monotonic()
                seconds = max(min(self.policy.attempt_timeout, left), 0.0)
                return Answered(await attempt(seconds), unclear)
            except NotSent as early:
                error, sent = early.error, False
            except TradewireError as answered:
                error = answered
            unclear += sent and _is_unclear(work, error)
            delay = self._delay(error, number)
            last = number >= self.policy.attempts or self._world.monotonic() + delay >= end
            if last or not sent or not _may_repeat(work, error):
                if unclear and not settles(error):
                    raise _unknown(work, number) from error
                raise error
            await self._world.sleep(delay)

    def _delay(self, error: TradewireError, failures: int) -> float:
        backoff = self.policy.backoff(failures, random=self._world.random)
        wanted = error.retry_after if isinstance(error, Exhausted) else None
        # Jitter is added, not mixed in: coming back too early costs another refusal.
        return backoff if wanted is None else wanted + backoff


def _is_unclear(work: Work, error: TradewireError) -> bool:
    certain = (Refused, Rejected, ClientClosed)
    return work.effect is not Effect.NONE and not isinstance(error, certain)


def _may_repeat(work: Work, error: TradewireError) -> bool:
    return work.effect is not Effect.ONCE and is_transient(error)


def _unknown(work: Work, attempts: int) -> UnknownOutcome:
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    if work.client_order_id:
        asking = f"ask orders.get(client_order_id={work.client_order_id!r}), or send it again"
    else:
        asking = "look before you send it again"
    return UnknownOutcome(
        f"{work.name} was not answered in {tries}: it may have happened; {asking}",
        client_order_id=work.client_order_id,
        attempts=attempts,
    )
