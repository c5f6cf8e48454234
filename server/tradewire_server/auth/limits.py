"""Rate limits: how much a sender may do.

Theory of operation. A limit is GCRA (the generic cell rate algorithm): a bucket holds `burst` units
and refills at `rate` units per period. Its whole state is one integer, the time at which it is full
again, so a full bucket has no state at all and is dropped without loss. Over any time t at most
`burst + rate * t` units pass. All arithmetic is in integer nanoseconds; the time between two units
is rounded up, in favour of the limit.

A call takes its weight from several buckets (key, account, address), from all or from none.

Rules:

- A *reserve*: what does not reduce risk may not use the last part of a burst, so that cancels get
  through when placing is exhausted. It holds for every bucket of the call, else the tightest would
  undo it.
- A key has a lower limit than its account, so one key cannot use up what all share.
- The table of buckets is bounded. Only full buckets are dropped; when all are in use, new subjects
  are refused: forgetting a used one would be a way around its limit.
- Bans (see `bans`) stop everything but what reduces risk.
- Bans and buckets are in memory and end with the process.

Accounts may be exempt, or have limits of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from tradewire_server.auth.bans import Bans
from tradewire_server.auth.buckets import EXEMPT, Bucket, GcraTable, LimitState, to_ms
from tradewire_server.auth.errors import Exhausted, Reason
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

# What a call is told when the table of buckets is full: full buckets leave it all the time.
_TABLE_FULL_RETRY_MS = 1_000


class Limiter:
    """Takes weights from buckets; one per server."""

    def __init__(self, policy: LimitPolicy) -> None:
        self.policy = policy
        self._rates: dict[str, Gcra] = {
            "key": policy.key,
            "account": policy.account,
            "address": policy.address,
        }
        self._tables = {scope: GcraTable(policy.subjects_max) for scope in self._rates}
        self._account_rates: dict[str, Gcra] = {}
        self._exempt_accounts: set[str] = set()
        self._bans = Bans(policy)

    def set_account_rate(self, account: str, rate: Gcra | None) -> None:
        """Give an account a limit of its own, or with None the published one again.

        Its keys are limited by the greater of this and the published limit of a key.
        """
        if rate is None:
            self._account_rates.pop(account, None)
        else:
            self._account_rates[account] = rate

    def set_exempt(self, account: str, exempt: bool) -> None:
        """Exempt an account from all limits of this class, or no longer."""
        if exempt:
            self._exempt_accounts.add(account)
        else:
            self._exempt_accounts.discard(account)

    def is_exempt(self, account: str) -> bool:
        """Say whether an account is exempt."""
        return account in self._exempt_accounts

    def take(
        self, buckets: Sequence[Bucket], *, weight: int, now_ns: int, reduces_risk: bool = False
    ) -> LimitState:
        """Take `weight` from all buckets, or from none when one has not enough.

        A call that reduces risk may use the reserve and is not subject to bans. Weight 0 is never
        refused but for a ban.
        """
        assert buckets, "a call is limited by something"
        if self._exempt_accounts and self._is_exempt(buckets):
            return EXEMPT
        if not reduces_risk:
            ban = self._bans.check(buckets, now_ns)
            if ban is not None:
                return ban
        states = []
        charges = []
        for bucket in buckets:
            rate = self._rate(bucket, buckets)
            backlog_ns = self._tables[bucket.scope].backlog_ns(bucket.subject, now_ns)
            state = _measure(
                rate,
                scope=bucket.scope,
                backlog_ns=backlog_ns,
                weight=weight,
                reserve_percent=0 if reduces_risk else self.policy.reserve_percent,
            )
            if state.allowed and weight and not self._has_room(bucket, now_ns):
                state = _table_full(state)
            states.append(state)
            charges.append(now_ns + backlog_ns + weight * rate.interval_ns)
        refused = [state for state in states if not state.allowed]
        if refused:
            self._bans.count_refusal(buckets, now_ns)
            return max(refused, key=_retry_after)
        if weight:
            for bucket, full_at_ns in zip(buckets, charges, strict=True):
                self._tables[bucket.scope].store(bucket.subject, full_at_ns, now_ns=now_ns)
        return min(states, key=_remaining)

    def peek(self, buckets: Sequence[Bucket], *, now_ns: int) -> LimitState:
        """Return the state without taking anything, for GetLimits."""
        return self.take(buckets, weight=0, now_ns=now_ns)

    def _is_exempt(self, buckets: Sequence[Bucket]) -> bool:
        return any(
            bucket.scope == "account" and bucket.subject in self._exempt_accounts
            for bucket in buckets
        )

    def _has_room(self, bucket: Bucket, now_ns: int) -> bool:
        return self._tables[bucket.scope].has_room(bucket.subject, now_ns)

    def _rate(self, bucket: Bucket, buckets: Sequence[Bucket]) -> Gcra:
        published = self._rates[bucket.scope]
        if not self._account_rates:
            return published
        own = next(
            (
                self._account_rates.get(other.subject)
                for other in buckets
                if other.scope == "account"
            ),
            None,
        )
        if own is None or bucket.scope == "address":
            return published
        if bucket.scope == "account":
            return own
        return min(own, published, key=_interval)


def rate_limited(state: LimitState, *, weight: int = 1) -> Exhausted:
    """Make the error of a refused call."""
    assert not state.allowed, "only a refusal is an error"
    wait = f"wait {state.retry_after_ms} ms"
    if state.scope == "ban":
        text = f"Too many refused calls, banned for now: {wait}; cancels still pass."
    elif weight > state.limit:
        text = (
            f"A weight of {weight} never fits the limit of {state.limit} per {state.scope}: "
            f"send less at once."
        )
    else:
        text = f"The limit of {state.limit} per {state.scope} is used up: {wait}."
    return Exhausted(
        Reason.RATE_LIMITED,
        text,
        scope=state.scope,
        limit=str(state.limit),
        retry_after_ms=str(state.retry_after_ms),
    )


def _measure(
    rate: Gcra, *, scope: str, backlog_ns: int, weight: int, reserve_percent: int
) -> LimitState:
    limit = rate.burst - rate.burst * reserve_percent // 100
    usable_ns = limit * rate.interval_ns
    wanted_ns = backlog_ns + weight * rate.interval_ns
    if weight == 0 or wanted_ns <= usable_ns:
        return LimitState(
            scope=scope,
            limit=limit,
            remaining=max(usable_ns - wanted_ns, 0) // rate.interval_ns,
            reset_ms=to_ms(wanted_ns),
            retry_after_ms=0,
            allowed=True,
        )
    return LimitState(
        scope=scope,
        limit=limit,
        remaining=max(usable_ns - backlog_ns, 0) // rate.interval_ns,
        reset_ms=to_ms(backlog_ns),
        # More than the limit at once never passes; then it is the time until the bucket is full.
        retry_after_ms=to_ms(min(wanted_ns - usable_ns, backlog_ns)) or 1,
        allowed=False,
    )


def _table_full(state: LimitState) -> LimitState:
    return state._replace(remaining=0, retry_after_ms=_TABLE_FULL_RETRY_MS, allowed=False)


def _retry_after(state: LimitState) -> int:
    return state.retry_after_ms


def _remaining(state: LimitState) -> int:
    return state.remaining


def _interval(rate: Gcra) -> int:
    return rate.interval_ns
