"""The inbound side: which number comes next, and what is done about those that are missing.

FIX 4.4: when a number is too high the missing messages are asked for once, from the first of them
to the last there is (EndSeqNo(16) is 0), and what came too early is held until its turn. What is
held is bounded: a message that does not fit is dropped, as if it had been lost on the way, and is
asked for again when its turn comes.

A request that brings nothing for a while is repeated. FIX leaves that open, but a resent message
may arrive garbled, and both sides would wait for ever.
"""

from __future__ import annotations

from typing import NamedTuple

from tradewire_gateway.fix.validation import Verdict


class Held(NamedTuple):
    """A message that came too early; None is one that was dealt with out of turn."""

    verdict: Verdict | None
    size: int


class Inbound:
    """The next expected number and the gap before what is held, if there is one."""

    def __init__(self, messages_max: int, bytes_max: int) -> None:
        self.expected = 1
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._held = dict[int, Held]()
        self._held_bytes = 0
        # The last number that was known to be missing when the messages were asked for.
        self._requested_end = 0
        self._progress_ns = 0
        self._attempts = 0

    @property
    def is_waiting(self) -> bool:
        """Whether missing messages were asked for and have not all come."""
        return self._requested_end >= self.expected

    @property
    def is_holding(self) -> bool:
        """Whether anything came too early."""
        return bool(self._held)

    @property
    def attempts(self) -> int:
        """How many times the messages from the expected one on were asked for."""
        return self._attempts

    def hold(self, number: int, held: Held) -> bool:
        """Keep a message for later; return False when there is no room for it."""
        if number in self._held:
            return True
        if len(self._held) >= self._messages_max or self._held_bytes + held.size > self._bytes_max:
            return False
        self._held[number] = held
        self._held_bytes += held.size
        return True

    def take(self) -> Held | None:
        """Return the held message whose turn it is, if it is there."""
        held = self._held.pop(self.expected, None)
        if held is not None:
            self._held_bytes -= held.size
        return held

    def missing_before(self) -> int | None:
        """Return the last number missing before what is held, None when nothing is held."""
        return max(self._held) - 1 if self._held else None

    def requested(self, end: int, now_ns: int) -> None:
        """Note that the messages from the expected one on were asked for."""
        self._attempts = self._attempts + 1 if self.is_waiting else 1
        self._requested_end = max(end, self._requested_end)
        self._progress_ns = now_ns

    def advance(self, expected: int, now_ns: int) -> None:
        """Expect this number next; what is held below it will not be needed."""
        self.expected = expected
        self._progress_ns = now_ns
        self._attempts = min(self._attempts, 1)
        # A step by one leaves nothing behind: the number itself was taken or never held.
        if self._held and expected > min(self._held):
            for number in [number for number in self._held if number < expected]:
                self._held_bytes -= self._held.pop(number).size

    def retry_ns(self, patience_ns: int) -> int | None:
        """Return when the missing messages should be asked for again."""
        return self._progress_ns + patience_ns if self.is_waiting else None

    def reset(self) -> None:
        """Begin again at 1, with nothing held."""
        self.expected = 1
        self._held.clear()
        self._held_bytes = 0
        self._requested_end = 0
        self._attempts = 0
