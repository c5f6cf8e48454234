"""Replay protection: a signature is accepted once, and only while it is fresh.

Fresh means `now + 1 s > timestamp` and `now - timestamp <= window`; the window is 5 s unless the
caller asks for another, at most 60 s. Within that time the nonce decides: one accepted nonce is
refused ever after, until no window could accept its timestamp again.

Theory of operation. Nonces lie in buckets by their *timestamp*, 30 s each. A bucket is dropped when
even the widest window would refuse all of its timestamps, so at most four exist and nothing is ever
searched or evicted one by one. The window that a caller asks for is not signed, so nonces are kept
for the widest window whatever was asked.

The floor is the one invariant: *the nonce of every accepted timestamp at or above the floor is
remembered.* It rises to the end of each dropped bucket, so a clock that is set back cannot make
forgotten nonces acceptable again. After a restart nothing is remembered, so the floor starts after
every timestamp that the former process could have accepted.

When a key has too many nonces, or all keys together, new ones are refused (NONCE_CACHE_FULL):
forgetting early would be a hole. A nonce is remembered only for a `VerifiedProof`, which only a
successful verification makes: otherwise strangers could fill the cache.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tradewire_server.auth.errors import Exhausted, Reason, Unauthenticated
from tradewire_server.auth.verifier import VerifiedProof

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPolicy:
    """The published numbers of replay protection."""

    default_window_ms: int = field(
        default=5_000, metadata={"unit": "ms", "meaning": "Age up to which a signature is accepted"}
    )
    max_window_ms: int = field(
        default=60_000, metadata={"unit": "ms", "meaning": "Widest x-api-recv-window"}
    )
    future_tolerance_ms: int = field(
        default=1_000,
        metadata={
            "unit": "ms",
            "meaning": "A timestamp must be less than this ahead of the server",
        },
    )
    bucket_ms: int = field(
        default=30_000, metadata={"unit": "ms", "meaning": "Span of timestamps forgotten together"}
    )
    nonces_per_key_max: int = field(
        default=10_000, metadata={"unit": "nonces", "meaning": "Remembered nonces of one key"}
    )
    nonces_max: int = field(
        default=250_000, metadata={"unit": "nonces", "meaning": "Remembered nonces of all keys"}
    )


class ReplayGuard:
    """Checks freshness and remembers nonces."""

    def __init__(self, policy: ReplayPolicy, *, floor_ms: int) -> None:
        """Accept timestamps from `floor_ms` on: `floor_after_restart`, or 0 without a past."""
        self.policy = policy
        self._floor_ms = floor_ms
        self._buckets: dict[int, dict[str, set[str]]] = {}
        self._counts: dict[str, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def check_fresh(self, *, timestamp_ms: int, window_ms: int, now_ns: int) -> None:
        """Refuse a timestamp outside the window.

        Raises:
            Unauthenticated: TIMESTAMP_OUT_OF_WINDOW, also when the window itself is not possible.
        """
        now_ms = now_ns // _NS_PER_MS
        policy = self.policy
        if not 1 <= window_ms <= policy.max_window_ms:
            why = (
                f"The receive window is {window_ms} ms, possible are 1 to {policy.max_window_ms} ms"
            )
        elif timestamp_ms >= now_ms + policy.future_tolerance_ms:
            why = (
                f"The timestamp is {timestamp_ms - now_ms} ms ahead of the server: synchronise the "
                f"clock, or measure the offset with GetServerTime"
            )
        elif now_ms - timestamp_ms > window_ms:
            why = (
                f"The timestamp is {now_ms - timestamp_ms} ms old, the window is {window_ms} ms: "
                f"synchronise the clock, or measure the offset with GetServerTime"
            )
        elif timestamp_ms < self._floor_ms:
            why = (
                "The timestamp is from before the server's start, from which no nonces are known: "
                "sign again with the time of now"
            )
        else:
            return
        wait_ms = self._floor_ms - now_ms
        raise Unauthenticated(
            Reason.TIMESTAMP_OUT_OF_WINDOW,
            # Right after a start the time of now is before the floor, too.
            f"{why}; wait {wait_ms} ms before that." if wait_ms > 0 else f"{why}.",
            server_time_ms=str(now_ms),
            skew_ms=str(timestamp_ms - now_ms),
            window_ms=str(window_ms),
            **({"retry_after_ms": str(wait_ms)} if wait_ms > 0 else {}),
        )

    def admit(self, verified: VerifiedProof, now_ns: int) -> None:
        """Accept a verified proof once, and remember its nonce.

        Raises:
            Unauthenticated: TIMESTAMP_OUT_OF_WINDOW, or NONCE_REUSED.
            Exhausted: NONCE_CACHE_FULL.
        """
        proof = verified.proof
        key_id = verified.key.key_id
        self.check_fresh(timestamp_ms=proof.timestamp_ms, window_ms=proof.window_ms, now_ns=now_ns)
        self._forget(now_ns // _NS_PER_MS)
        if any(proof.nonce in bucket.get(key_id, ()) for bucket in self._buckets.values()):
            raise Unauthenticated(
                Reason.NONCE_REUSED,
                "This nonce was used before: make a new random nonce for every signature.",
            )
        self._check_room(key_id, now_ns // _NS_PER_MS)
        bucket = self._buckets.setdefault(proof.timestamp_ms // self.policy.bucket_ms, {})
        bucket.setdefault(key_id, set()).add(proof.nonce)
        self._counts[key_id] = self._counts.get(key_id, 0) + 1
        self._total += 1

    def _check_room(self, key_id: str, now_ms: int) -> None:
        per_key = self.policy.nonces_per_key_max
        if self._counts.get(key_id, 0) >= per_key:
            whose, limit = "of this key", per_key
        elif self._total >= self.policy.nonces_max:
            whose, limit = "of all keys", self.policy.nonces_max
        else:
            return
        holding = [index for index, keys in self._buckets.items() if key_id in keys]
        oldest = min(holding or self._buckets)
        retry_after_ms = self._end_ms(oldest) + self.policy.max_window_ms - now_ms
        raise Exhausted(
            Reason.NONCE_CACHE_FULL,
            f"{limit} signatures {whose} are within their window: slow down, or use a session "
            f"token in place of signing each request.",
            limit=str(limit),
            retry_after_ms=str(max(retry_after_ms, 1)),
        )

    def _forget(self, now_ms: int) -> None:
        """Drop the buckets that no window could accept any more, and raise the floor over them."""
        oldest_ms = now_ms - self.policy.max_window_ms
        for index in [index for index in self._buckets if self._end_ms(index) <= oldest_ms]:
            for key_id, nonces in self._buckets.pop(index).items():
                self._total -= len(nonces)
                self._counts[key_id] -= len(nonces)
                if self._counts[key_id] == 0:
                    del self._counts[key_id]
            self._floor_ms = max(self._floor_ms, self._end_ms(index))

    def _end_ms(self, index: int) -> int:
        return (index + 1) * self.policy.bucket_ms


def floor_after_restart(started_ns: int, policy: ReplayPolicy) -> int:
    """Return the first timestamp, in ms, that no former process can have accepted.

    A former process accepted timestamps up to its last moment and the tolerance for fast clocks.
    """
    return started_ns // _NS_PER_MS + policy.future_tolerance_ms
