"""Bans: who goes on after refusals is refused everything for a time that grows with each ban.

A refusal says how long to wait, and who waits is never banned. A sender may have several
connections that do not know of each other, so it may be waiting several times at once: a refusal
counts when `waits_at_once` earlier ones are not over yet. Each wait beside others is twice as long,
else whoever is told to wait a millisecond could go on all the time.

A ban strikes the sender, which is the key of the call or, without one, the address; never the
account, because then one key could stop all others. Refusals during a ban do not count, and time
without a ban takes back one step of the ladder after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from tradewire_server.auth.buckets import Bucket, LimitState, to_ms
from tradewire_server.auth.limit_policy import LimitPolicy

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_GROWN_WAIT_MAX_MS = 1_000
_LOOKED_AT_PER_INSERT = 2


class Bans:
    """Counts refusals by sender and bans who has too many."""

    def __init__(self, policy: LimitPolicy) -> None:
        self._policy = policy
        self._records: dict[Bucket, _BanRecord] = {}

    def check(self, buckets: Sequence[Bucket], now_ns: int) -> LimitState | None:
        """Return the state that tells of the longest ban of these buckets, or None."""
        if not self._records:
            return None
        until_ns = max(self._banned_until_ns(bucket) for bucket in buckets)
        if until_ns <= now_ns:
            return None
        wait_ms = to_ms(until_ns - now_ns)
        return LimitState("ban", 0, 0, wait_ms, wait_ms, allowed=False)

    def count_refusal(self, buckets: Sequence[Bucket], now_ns: int, *, wait_ms: int) -> int:
        """Take note of a refusal of a sender for which it has to wait, ban it when that was one
        too many, and return how long it is to be told to wait.
        """
        sender = _sender(buckets)
        if sender is None or not self._has_room(sender, now_ns):
            return wait_ms
        record = self._records.setdefault(sender, _BanRecord())
        if record.until_ns > now_ns:
            # What reduces risk passes a ban, and may be refused in it for want of units.
            return wait_ms
        record.waits_ns = [until_ns for until_ns in record.waits_ns if until_ns > now_ns]
        wait_ms = max(wait_ms, min(wait_ms << len(record.waits_ns), _GROWN_WAIT_MAX_MS))
        if len(record.waits_ns) < self._policy.waits_at_once:
            record.waits_ns.append(now_ns + wait_ms * _NS_PER_MS)
            return wait_ms
        rate = self._policy.refusals
        backlog_ns = max(record.full_at_ns - now_ns, 0) + rate.interval_ns
        record.full_at_ns = now_ns + backlog_ns
        if backlog_ns > rate.capacity_ns:
            self._ban(record, now_ns)
        return wait_ms

    def _ban(self, record: _BanRecord, now_ns: int) -> None:
        ladder = self._policy.ban_ladder_s
        record.steps = self._steps(record, now_ns)
        record.until_ns = now_ns + ladder[min(record.steps, len(ladder) - 1)] * _NS_PER_S
        record.steps = min(record.steps + 1, len(ladder))
        # The ban is the answer to these refusals; after it the count starts anew.
        record.full_at_ns = 0
        record.waits_ns = []

    def _steps(self, record: _BanRecord, now_ns: int) -> int:
        """Return how many steps of the ladder still count against the sender."""
        quiet_ns = max(now_ns - record.until_ns, 0)
        return max(record.steps - quiet_ns // (self._policy.ban_decay_s * _NS_PER_S), 0)

    def _banned_until_ns(self, bucket: Bucket) -> int:
        record = self._records.get(bucket)
        return record.until_ns if record is not None else 0

    def _has_room(self, sender: Bucket, now_ns: int) -> bool:
        """Keep the table small; when it is full of senders that count, a new one is not counted.

        That is safe: its calls were refused, and will be.
        """
        if sender in self._records:
            return True
        for known in list(islice(self._records, _LOOKED_AT_PER_INSERT)):
            record = self._records.pop(known)
            if not self._is_blank(record, now_ns):
                self._records[known] = record
        return len(self._records) < self._policy.subjects_max

    def _is_blank(self, record: _BanRecord, now_ns: int) -> bool:
        return (
            record.full_at_ns <= now_ns
            and all(until_ns <= now_ns for until_ns in record.waits_ns)
            and record.until_ns <= now_ns
            and self._steps(record, now_ns) == 0
        )


@dataclass(slots=True)
class _BanRecord:
    """What is held against a sender: `steps` as of the end of the last ban, `waits_ns` when the
    waits end that it was told.
    """

    full_at_ns: int = 0
    until_ns: int = 0
    steps: int = 0
    waits_ns: list[int] = field(default_factory=list)


def _sender(buckets: Iterable[Bucket]) -> Bucket | None:
    """Return the bucket that a ban strikes: the key's, else the address's."""
    by_scope = {bucket.scope: bucket for bucket in buckets}
    return by_scope.get("key") or by_scope.get("address")
