"""Bans: who is refused too often is refused everything for a time that grows with each ban.

It strikes the sender, which is the key of the call or, without one, the address; never the account,
because then one key could stop all others. Refusals during a ban do not count, and time without a
ban takes back one step of the ladder after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from tradewire_server.auth.buckets import Bucket, LimitState, to_ms
from tradewire_server.auth.limit_policy import LimitPolicy

_NS_PER_S = 1_000_000_000
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

    def count_refusal(self, buckets: Sequence[Bucket], now_ns: int) -> None:
        """Count a refusal of the sender of a call, and ban it when that was one too many."""
        sender = _sender(buckets)
        if sender is None or not self._has_room(sender, now_ns):
            return
        record = self._records.setdefault(sender, _BanRecord())
        rate = self._policy.refusals
        backlog_ns = max(record.full_at_ns - now_ns, 0) + rate.interval_ns
        record.full_at_ns = now_ns + backlog_ns
        if backlog_ns > rate.capacity_ns:
            self._ban(record, now_ns)

    def _ban(self, record: _BanRecord, now_ns: int) -> None:
        ladder = self._policy.ban_ladder_s
        record.steps = self._steps(record, now_ns)
        record.until_ns = now_ns + ladder[min(record.steps, len(ladder) - 1)] * _NS_PER_S
        record.steps = min(record.steps + 1, len(ladder))
        # The ban is the answer to these refusals; after it the count starts anew.
        record.full_at_ns = 0

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
            and record.until_ns <= now_ns
            and self._steps(record, now_ns) == 0
        )


@dataclass(slots=True)
class _BanRecord:
    """What is held against a sender; `steps` as of the end of the last ban."""

    full_at_ns: int = 0
    until_ns: int = 0
    steps: int = 0


def _sender(buckets: Iterable[Bucket]) -> Bucket | None:
    """Return the bucket that a ban strikes: the key's, else the address's."""
    by_scope = {bucket.scope: bucket for bucket in buckets}
    return by_scope.get("key") or by_scope.get("address")
