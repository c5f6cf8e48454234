"""The throttle of failing sign-ins: per address, and per key prefix over all addresses.

It makes guessing and credential stuffing slow and keeps failing signatures, each of which costs a
verification, from using the server up. It looks before the verification and counts after it failed,
so whoever signs correctly is never slowed by own calls.

Whoever knows a key id could lock its holder out by failing on purpose. So an address from which a
key has signed in before is not held back by failures of others with that key.

The tables are bounded. When one is full, a new failure is not counted: the limit per address
(`limits`) refuses new addresses by then.
"""

from __future__ import annotations

from tradewire_server.auth.addresses import limit_subject
from tradewire_server.auth.buckets import GcraTable, to_ms
from tradewire_server.auth.errors import Exhausted, Reason
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

# `tw_` and five characters: 25 bits.
KEY_PREFIX_LENGTH = 8


class SignInThrottle:
    """Counts failures and refuses who has too many."""

    def __init__(self, policy: LimitPolicy) -> None:
        self._policy = policy
        self._addresses = GcraTable(policy.subjects_max)
        self._prefixes = GcraTable(policy.subjects_max)
        # Insertion order is the order of last use. Forgetting one only takes its privilege away.
        self._proven: dict[tuple[str, str], None] = {}

    def check(self, *, address: str | None, key_id: str | None, now_ns: int) -> None:
        """Refuse before any work is done.

        Raises:
            Exhausted: RATE_LIMITED.
        """
        if address is not None:
            _check(
                self._addresses,
                limit_subject(address),
                rate=self._policy.sign_in_failures_per_address,
                now_ns=now_ns,
            )
        if key_id is not None and not self._is_proven(key_id, address):
            _check(
                self._prefixes,
                _prefix(key_id),
                rate=self._policy.sign_in_failures_per_key_prefix,
                now_ns=now_ns,
            )

    def count_failure(self, *, address: str | None, key_id: str | None, now_ns: int) -> None:
        """Count a signature or token that did not verify."""
        if address is not None:
            _count(
                self._addresses,
                limit_subject(address),
                rate=self._policy.sign_in_failures_per_address,
                now_ns=now_ns,
            )
        if key_id is not None and not self._is_proven(key_id, address):
            _count(
                self._prefixes,
                _prefix(key_id),
                rate=self._policy.sign_in_failures_per_key_prefix,
                now_ns=now_ns,
            )

    def note_success(self, *, address: str | None, key_id: str) -> None:
        """Remember that the key's holder is at this address."""
        if address is None:
            return
        proven = (key_id, limit_subject(address))
        self._proven.pop(proven, None)
        while len(self._proven) >= self._policy.subjects_max:
            del self._proven[next(iter(self._proven))]
        self._proven[proven] = None

    def _is_proven(self, key_id: str, address: str | None) -> bool:
        return address is not None and (key_id, limit_subject(address)) in self._proven


def _check(table: GcraTable, subject: str, *, rate: Gcra, now_ns: int) -> None:
    wait_ns = (
        table.backlog_ns(subject, rate.capacity_ns, now_ns=now_ns)
        + rate.interval_ns
        - rate.capacity_ns
    )
    if wait_ns > 0:
        raise Exhausted(
            Reason.RATE_LIMITED,
            f"Too many failed sign-ins: wait {to_ms(wait_ns)} ms, and check the key id, the secret "
            f"and the environment name meanwhile.",
            scope="sign_in",
            limit=str(rate.burst),
            retry_after_ms=str(to_ms(wait_ns)),
        )


def _count(table: GcraTable, subject: str, *, rate: Gcra, now_ns: int) -> None:
    if table.has_room(subject, now_ns):
        # Calls that were checked together may fail together: the wait stays within the bucket.
        backlog_ns = min(
            table.backlog_ns(subject, rate.capacity_ns, now_ns=now_ns) + rate.interval_ns,
            rate.capacity_ns,
        )
        table.store(subject, now_ns + backlog_ns, now_ns=now_ns)


def _prefix(key_id: str) -> str:
    return key_id[:KEY_PREFIX_LENGTH]
