"""Heartbeats: showing that we live, and finding out whether the peer does.

FIX 4.4: a Heartbeat(0) is sent when nothing else was for HeartBtInt(108). When nothing comes for
that long and a reasonable time more, here a fifth, a TestRequest(1) asks for a sign of life; any
message is one. When none has come after twice that time the connection is dead.
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
        self._dead_after_ns = 2 * self._test_after_ns
        self._last_received_ns = now_ns
        self._is_testing = False

    @property
    def interval_ns(self) -> int:
        return self._interval_ns

    def received(self, now_ns: int) -> None:
        """Note a sign of life."""
        self._last_received_ns = now_ns
        self._is_testing = False

    def deadline_ns(self, last_sent_ns: int) -> int | None:
        """Return when something will be due."""
        if not self._interval_ns:
            return None
        if self._is_testing:
            return self._last_received_ns + self._dead_after_ns
        heartbeat = last_sent_ns + self._interval_ns
        return min(heartbeat, self._last_received_ns + self._test_after_ns)

    def due(self, last_sent_ns: int, now_ns: int) -> Due | None:
        """Return what is due now; the caller does it."""
        if not self._interval_ns:
            return None
        silence = now_ns - self._last_received_ns
        if self._is_testing:
            # No heartbeats meanwhile: the test request shows that we live.
            return Due.GIVING_UP if silence >= self._dead_after_ns else None
        if silence >= self._test_after_ns:
            self._is_testing = True
            return Due.TEST_REQUEST
        return Due.HEARTBEAT if now_ns - last_sent_ns >= self._interval_ns else None
