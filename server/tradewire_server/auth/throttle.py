"""The throttle of failing sign-ins: per address, and per key prefix over all addresses.

It makes guessing and credential stuffing slow and keeps failing signatures, each of which costs a
verification, from using the server up. It looks before the verification and counts after it failed,
so whoever signs correctly is never slowed by own calls.

Whoever knows a key id, or shares an address, could lock the key's holder out by failing on purpose.
So the *proven*, a key together with an address from which it has signed in before, is held back by
nothing here: not by failures of others with that key, and not by failures from that address. What
that opens, and why it is less than what it closes:

- Somebody behind the same NAT who knows the key id may fail with it as often as the limit of the
  address lets calls pass (`limits`: each failure is charged to it). There is nothing to guess: a
  signature is 256 bits or an Ed25519 one, over bytes that the sender chooses. It costs the server
  a verification each, as any call of that weight does.
- With that the limit of the address is used up for its other users, which anybody there can do
  without a key id; cancels have their reserve.
- Failures of the proven count against the address all the same, so whoever is not proven there
  waits: a guesser gains no further tries with other key ids by knowing one.
- Proof is in memory: after a restart, and from a new address, a holder is a stranger until the
  first signature that is right. Tokens name no key before they are verified, so one that the
  process has not seen yet waits with its address; one that it has seen does not.

CheckSignature counts what fits nothing, as a failed sign-in. What is malformed was never looked at
with a key, and what it could explain was signed by the holder: neither counts.

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
        if key_id is not None and self.is_proven(key_id, address):
            return
        if address is not None:
            _check(
                self._addresses,
                limit_subject(address),
                rate=self._policy.sign_in_failures_per_address,
                now_ns=now_ns,
            )
        if key_id is not None:
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
        if key_id is not None and not self.is_proven(key_id, address):
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

    def is_proven(self, key_id: str, address: str | None) -> bool:
        """Say whether the key's holder has signed in from this address."""
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
