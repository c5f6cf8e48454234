"""The unfilled-order count: orders that an account placed in an interval and that were not filled.

It bounds quoting without trading, so the first fill of an order gives back, whenever the order was
placed. Intervals are aligned to the epoch (a day is a day in UTC); the counts of an interval end
with it, and all of them with the process.
"""

from __future__ import annotations

from typing import NamedTuple

from tradewire_server.auth.buckets import to_ms
from tradewire_server.auth.limit_policy import LimitPolicy

_NS_PER_S = 1_000_000_000


class UnfilledCount(NamedTuple):
    """What an account has left of one interval, and the time until the interval ends."""

    interval_s: int
    limit: int
    remaining: int
    reset_ms: int


class UnfilledOrders:
    """Counts by account and interval."""

    def __init__(self, policy: LimitPolicy) -> None:
        self._intervals = [
            _Interval(length_s, limit, policy.subjects_max)
            for length_s, limit in policy.unfilled_orders
        ]

    def place(self, account: str, *, now_ns: int) -> UnfilledCount | None:
        """Count an order; or count nothing and return the limit that it would exceed.

        Of several that is the one that ends last.
        """
        refusing: _Interval | None = None
        for interval in self._intervals:
            interval.turn(now_ns)
            if not interval.has_room(account) and (
                refusing is None or refusing.end_ns < interval.end_ns
            ):
                refusing = interval
        if refusing is not None:
            return refusing.count_of(account, now_ns)
        for interval in self._intervals:
            interval.add(account)
        return None

    def give_back(self, account: str, *, now_ns: int) -> None:
        """Take an order that was filled, or that never came to be, off the counts."""
        for interval in self._intervals:
            interval.turn(now_ns)
            interval.subtract(account)

    def report(self, account: str, *, now_ns: int) -> list[UnfilledCount]:
        """Return what an account has left, without counting anything."""
        for interval in self._intervals:
            interval.turn(now_ns)
        return [interval.count_of(account, now_ns) for interval in self._intervals]


class _Interval:
    """The counts of one interval length. Only accounts that have a count take room."""

    __slots__ = ("_accounts_max", "_counts", "_length_ns", "_limit", "end_ns")

    def __init__(self, length_s: int, limit: int, accounts_max: int) -> None:
        self._length_ns = length_s * _NS_PER_S
        self._limit = limit
        self._accounts_max = accounts_max
        self._counts: dict[str, int] = {}
        self.end_ns = 0

    def turn(self, now_ns: int) -> None:
        """Start the interval of now; a clock that is set back stays in the present one."""
        if now_ns >= self.end_ns:
            self.end_ns = (now_ns // self._length_ns + 1) * self._length_ns
            self._counts = {}

    def has_room(self, account: str) -> bool:
        count = self._counts.get(account)
        if count is None:
            return self._limit > 0 and len(self._counts) < self._accounts_max
        return count < self._limit

    def count_of(self, account: str, now_ns: int) -> UnfilledCount:
        return UnfilledCount(
            interval_s=self._length_ns // _NS_PER_S,
            limit=self._limit,
            remaining=max(self._limit - self._counts.get(account, 0), 0),
            reset_ms=to_ms(self.end_ns - now_ns),
        )

    def add(self, account: str) -> None:
        self._counts[account] = self._counts.get(account, 0) + 1

    def subtract(self, account: str) -> None:
        count = self._counts.get(account)
        if count is None:
            return
        if count > 1:
            self._counts[account] = count - 1
        else:
            del self._counts[account]
