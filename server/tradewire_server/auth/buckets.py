"""Buckets of rate limits: their names, what a call is told, the bounded table of their state."""

from __future__ import annotations

import heapq
from typing import Literal, NamedTuple

_TRIES_WHEN_FULL = 64
_TRIES_PER_INSERT = 2
_EXEMPT_SCOPE = "exempt"
_NS_PER_MS = 1_000_000

LimitScope = Literal["key", "account", "address"]


class Bucket(NamedTuple):
    """Names a bucket: a key id, an account, or `addresses.limit_subject` of an address."""

    scope: LimitScope
    subject: str


class LimitState(NamedTuple):
    """What a call is told of its limits: the tightest of its buckets.

    `limit` and `remaining` are units that a call of this kind can use, `reset_ms` the time until
    the bucket is full, `retry_after_ms` the time until the same call would pass (0 when allowed).
    For an exempt account `scope` is `exempt` and the numbers mean nothing.
    """

    scope: str
    limit: int
    remaining: int
    reset_ms: int
    retry_after_ms: int
    allowed: bool

    @property
    def is_exempt(self) -> bool:
        """Say whether no limits apply; then none are to be reported."""
        return self.scope == _EXEMPT_SCOPE


EXEMPT = LimitState(_EXEMPT_SCOPE, 0, 0, 0, 0, allowed=True)


class GcraTable:
    """Bounded map from a subject to the time at which its bucket is full.

    The heap holds each subject once, under a time that is not updated on use and may be too early;
    whoever looks for a full bucket corrects it.
    """

    def __init__(self, subjects_max: int) -> None:
        self._subjects_max = subjects_max
        self._full_at_ns: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._full_at_ns)

    def backlog_ns(self, subject: str, capacity_ns: int, *, now_ns: int) -> int:
        """Return the time until the subject's bucket is full; 0 without state.

        More than the capacity means that the clock was set back. Then the bucket counts as empty
        as of now, else its subject would be refused until the clock is where it was.
        """
        full_at_ns = self._full_at_ns.get(subject)
        if full_at_ns is None or full_at_ns <= now_ns:
            return 0
        if full_at_ns - now_ns > capacity_ns:
            self._full_at_ns[subject] = now_ns + capacity_ns
            return capacity_ns
        return full_at_ns - now_ns

    def has_room(self, subject: str, now_ns: int) -> bool:
        """Say whether the subject's state can be kept, dropping a full bucket for it if need be."""
        if subject in self._full_at_ns or len(self._full_at_ns) < self._subjects_max:
            return True
        self._drop_full(now_ns, tries=_TRIES_WHEN_FULL)
        return len(self._full_at_ns) < self._subjects_max

    def store(self, subject: str, full_at_ns: int, *, now_ns: int) -> None:
        """Set the state of a subject for which there is room."""
        if subject not in self._full_at_ns:
            self._drop_full(now_ns, tries=_TRIES_PER_INSERT)
            heapq.heappush(self._heap, (full_at_ns, subject))
        self._full_at_ns[subject] = full_at_ns

    def _drop_full(self, now_ns: int, *, tries: int) -> None:
        while tries > 0 and self._heap and self._heap[0][0] <= now_ns:
            subject = self._heap[0][1]
            full_at_ns = self._full_at_ns[subject]
            if full_at_ns <= now_ns:
                heapq.heappop(self._heap)
                del self._full_at_ns[subject]
            else:
                heapq.heapreplace(self._heap, (full_at_ns, subject))
            tries -= 1


def to_ms(time_ns: int) -> int:
    """Round a time up to whole milliseconds, so that who waits it has waited long enough."""
    return -(-time_ns // _NS_PER_MS)
