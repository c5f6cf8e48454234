"""Answering a ResendRequest(2): stored messages again, gap fills for everything between them.

FIX 4.4: what is sent again keeps its number and has PossDupFlag(43) and OrigSendingTime(122); admin
messages are not sent again, except Reject(3), but filled. The range that was asked for is kept to:
who asks in pieces gets pieces. Requests are answered one after the other. The records are read by
the shell, in chunks, so that a long range neither blocks nor has to fit into memory; new messages
may go out between two chunks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tradewire_gateway.fix.session.actions import Action, Fetch
from tradewire_gateway.fix.session.outbound import Outbound
from tradewire_gateway.fix.store import Record


class Resend:
    """The requests that are being answered."""

    def __init__(self, outbound: Outbound, actions: list[Action], chunk: int) -> None:
        self._outbound = outbound
        self._actions = actions
        self._chunk = chunk
        # Ranges still to be answered; the first is under way, by this reading of the store.
        self._ranges = deque[tuple[int, int]]()
        self._reading: Fetch | None = None

    @property
    def waiting(self) -> int:
        """The number of requests that are not completely answered."""
        return len(self._ranges)

    def request(self, begin: int, end: int) -> None:
        """Answer from begin to end, both included, when it is its turn.

        A request that goes on where one that still waits ends, or repeats it, joins it: some
        engines ask again for each message that comes too early.
        """
        if len(self._ranges) > 1 and self._ranges[-1][0] <= begin <= self._ranges[-1][1] + 1:
            waiting_begin, waiting_end = self._ranges.pop()
            begin, end = waiting_begin, max(waiting_end, end)
        self._ranges.append((begin, end))
        if len(self._ranges) == 1:
            self._fetch()

    def supply(self, fetch: Fetch, records: Sequence[tuple[int, Record]], now_ns: int) -> None:
        """Send the records that were fetched, and fill what lies between them.

        A record without a body is one that cannot be made again, since what it refers to is older
        than what is kept: it is filled like a gap.
        """
        if fetch is not self._reading:
            # The numbers were reset while the store was read: what it held is void.
            return
        self._reading = None
        begin, end = self._ranges.popleft()
        for number, record in records:
            assert begin <= number <= end, "records come in order, from the range asked for"
            if not record.body:
                continue
            if begin < number:
                self._outbound.fill(begin, number - 1, now_ns)
            self._outbound.repeat(number, record, now_ns)
            begin = number + 1
        # Less than a whole chunk means that there is nothing more.
        last = records[-1][0] if len(records) >= self._chunk else end
        if begin <= last:
            self._outbound.fill(begin, last, now_ns)
        if last < end:
            self._ranges.appendleft((last + 1, end))
        if self._ranges:
            self._fetch()

    def reset(self) -> None:
        """Forget all requests: their numbers mean nothing any more."""
        self._ranges.clear()
        self._reading = None

    def _fetch(self) -> None:
        begin, end = self._ranges[0]
        self._reading = Fetch(begin, end, self._chunk)
        self._actions.append(self._reading)
