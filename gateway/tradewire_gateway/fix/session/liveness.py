"""Heartbeats: showing that we live, and finding out whether the peer does.

FIX 4.4: a Heartbeat(0) is sent when nothing else was for HeartBtInt(108). When nothing comes for
that long and a reasonable time more, here a fifth, a TestRequest(1) asks for a sign of life; any
message is one. When none has come after as long again the connection is dead.

The peer has that time to answer from when it was asked, whatever the clock says about before: when
the clock was set, or the machine slept, nobody is cut off (and has its orders canceled) unasked.
"""

from __future__ import annotations

from enum import Enum

from tradewire_gateway.fix.values import SECOND_NS


class Due(Enum):
    """What the clock asks for."""

    HEARTBEAT = "a heartbeat"
    TEST_REQUEST = "a test request"
    GIVING_UP = "giving up"


class Liveness:
    """Knows when what is due; an interval of 0 means never."""

    def __init__(self, interval_s: int, now_ns: int) -> None:
        self._interval_ns = interval_s * SECOND_NS
        self._test_after_ns = self._interval_ns * 6 // 5
        self._last_received_ns = now_ns
        self._asked_ns: int | None = None

    @property
    def interval_ns(self) -> int:
        return self._interval_ns

    def received(self, now_ns: int) -> None:
        """Note a sign of life."""
        self._last_received_ns = now_ns
        self._asked_ns = None

    def asked(self, now_ns: int) -> None:
        """Note that the peer was asked for a sign of life."""
        if self._asked_ns is None:
            self._asked_ns = now_ns

    @property
    def is_asked(self) -> bool:
        """Whether the peer was asked for a sign of life and has given none."""
        return self._asked_ns is not None

    def deadline_ns(self, last_sent_ns: int) -> int | None:
        """Return when something will be due."""
        if not self._interval_ns:
            return None
        if self._asked_ns is not None:
            return self._asked_ns + self._test_after_ns
        heartbeat = last_sent_ns + self._interval_ns
        return min(heartbeat, self._last_received_ns + self._test_after_ns)

    def due(self, last_sent_ns: int, now_ns: int) -> Due | None:
        """Return what is due now; the caller does it."""
        if not self._interval_ns:
            return None
        # A clock that was set back does not make anything due later than it was.
        self._last_received_ns = min(self._last_received_ns, now_ns)
        if self._asked_ns is not None:
            # No heartbeats meanwhile: the test request shows that we live.
            self._asked_ns = min(self._asked_ns, now_ns)
            return Due.GIVING_UP if now_ns - self._asked_ns >= self._test_after_ns else None
        if now_ns - self._last_received_ns >= self._test_after_ns:
            self._asked_ns = now_ns
            return Due.TEST_REQUEST
        is_due = now_ns - last_sent_ns >= self._interval_ns or last_sent_ns > now_ns
        return Due.HEARTBEAT if is_due else None
