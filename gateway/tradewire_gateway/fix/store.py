"""What a FIX session must remember beyond a connection: two numbers, and what may be sent again.

The session says what is to be stored, in order, and its shell does it: `append` before the message
goes out, `set_next_inbound` once what the message asked for cannot be lost any more. An
implementation decides how durable that is; numbers may be skipped after a crash (the peer asks for
them and is told that nothing is there), but none may be used for two different messages.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tradewire_gateway.fix.message import Fields


class Record(NamedTuple):
    """A message that was sent, as far as sending it again needs it.

    A number without a record is a gap: an admin message, or one that is not worth sending twice.
    """

    type: str
    sending_time_ns: int
    """When it was first sent; repeated as OrigSendingTime(122)."""
    body: str = ""
    """The encoded body; empty while only the reference is known."""
    header: Fields | None = None
    """Header fields beside the standard ones, such as PossResend(97)."""
    reference: int | None = None
    """The execution sequence from which the body can be made again."""


class Numbers(NamedTuple):
    """The next sequence numbers of both directions."""

    outbound: int = 1
    inbound: int = 1


class Store(Protocol):
    """The memory of one session, identified by its CompIDs."""

    def numbers(self) -> Numbers: ...

    def append(self, number: int, record: Record | None) -> None:
        """Use up an outbound number, for a message that can be sent again or for a gap."""

    def set_next_inbound(self, number: int) -> None:
        """Remember that all inbound messages below the number are dealt with."""

    def read(self, begin: int, end: int, limit: int) -> Sequence[tuple[int, Record]]:
        """Return the first records from begin to end, both included, in order."""

    def reset(self) -> None:
        """Forget everything: both numbers are 1 again."""


class MemoryStore:
    """A store that lives as long as the process."""

    def __init__(self) -> None:
        self._numbers = Numbers()
        self._kept = list[int]()
        self._records = list[Record]()

    def numbers(self) -> Numbers:
        return self._numbers

    def append(self, number: int, record: Record | None) -> None:
        assert number >= self._numbers.outbound, "an outbound number is used once"
        self._numbers = self._numbers._replace(outbound=number + 1)
        if record is not None:
            self._kept.append(number)
            self._records.append(record)

    def set_next_inbound(self, number: int) -> None:
        self._numbers = self._numbers._replace(inbound=number)

    def read(self, begin: int, end: int, limit: int) -> Sequence[tuple[int, Record]]:
        first = bisect_left(self._kept, begin)
        last = min(bisect_left(self._kept, end + 1), first + limit)
        return list(zip(self._kept[first:last], self._records[first:last], strict=True))

    def reset(self) -> None:
        self._numbers = Numbers()
        self._kept.clear()
        self._records.clear()
