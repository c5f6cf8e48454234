"""The unfilled-order count: orders that an account placed in an interval and that were not filled.

It bounds quoting without trading, so a fill gives back. Intervals are aligned to the epoch (a day
is a day in UTC); the counts of an interval end with it, and all of them with the process.
"""

from __future__ import annotations

from tradewire_server.auth.buckets import LimitState, to_ms
from tradewire_server.auth.limit_policy import LimitPolicy

_NS_PER_S = 1_000_000_000


class UnfilledOrders:
    """Counts by account and interval."""

    def __init__(self, policy: LimitPolicy) -> None:
        self._intervals = [
            _Interval(length_s * _NS_PER_S, limit) for length_s, limit in policy.unfilled_orders
        ]
        self._accounts_max = policy.subjects_max

    def place(self, account: str, orders: int, *, now_ns: int) -> LimitState | None:
        """Count orders that are placed, all or none; None when no such limit is set."""
        tightest: LimitState | None = None
        for interval in self._intervals:
            state = interval.measure(
                account, orders, now_ns=now_ns, accounts_max=self._accounts_max
            )
            if tightest is None or _tightness(state) < _tightness(tightest):
                tightest = state
        if tightest is not None and tightest.allowed:
            for interval in self._intervals:
                interval.add(account, orders)
        return tightest

    def give_back(self, account: str, orders: int, *, now_ns: int) -> None:
        """Take orders that were filled, or that never came to be, off the counts."""
        for interval in self._intervals:
            interval.turn(now_ns)
            interval.subtract(account, orders)


class _Interval:
    """The counts of one interval length."""

    def __init__(self, length_ns: int, limit: int) -> None:
        self._length_ns = length_ns
        self._limit = limit
        self._number = 0
        self._counts: dict[str, int] = {}

    def turn(self, now_ns: int) -> None:
        """Start the interval of now; a clock that is set back stays in the present one."""
        number = now_ns // self._length_ns
        if number > self._number:
            self._number = number
            self._counts = {}

    def measure(self, account: str, orders: int, *, now_ns: int, accounts_max: int) -> LimitState:
        self.turn(now_ns)
        count = self._counts.get(account, 0)
        has_room = account in self._counts or len(self._counts) < accounts_max
        reset_ms = to_ms((self._number + 1) * self._length_ns - now_ns)
        allowed = orders == 0 or (has_room and count + orders <= self._limit)
        return LimitState(
            scope=f"unfilled_orders_{self._length_ns // _NS_PER_S}s",
            limit=self._limit,
            remaining=max(self._limit - count - (orders if allowed else 0), 0),
            reset_ms=reset_ms,
            retry_after_ms=0 if allowed else reset_ms,
            allowed=allowed,
        )

    def add(self, account: str, orders: int) -> None:
        if orders:
            self._counts[account] = self._counts.get(account, 0) + orders

    def subtract(self, account: str, orders: int) -> None:
        count = self._counts.get(account, 0) - orders
        if count > 0:
            self._counts[account] = count
        else:
            self._counts.pop(account, None)


def _tightness(state: LimitState) -> tuple[bool, int, int]:
    """Order states: refusals first, the longest wait first, then the least remaining."""
    return (state.allowed, -state.retry_after_ms, state.remaining)
