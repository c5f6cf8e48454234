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
- Of the reserve, half is for senders whose credential is known to be good: else strangers at an
  address could use up what its customers need for their cancels, and refusals on those routes would
  have to be free.
- A key has a lower limit than its account, so one key cannot use up what all share.
- The table of buckets is bounded. Only full buckets are dropped; when all are in use, new subjects
  are refused: forgetting a used one would be a way around its limit.
- Bans (see `bans`) stop everything but what reduces risk, and what costs nothing: GetLimits says
  for how long.
- Bans and buckets are in memory and end with the process.

Accounts may be exempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tradewire_server.auth.bans import Bans
from tradewire_server.auth.buckets import EXEMPT, Bucket, GcraTable, LimitScope, LimitState, to_ms
from tradewire_server.auth.errors import Exhausted, Reason
from tradewire_server.auth.limit_policy import Gcra, LimitPolicy

# What a call is told when the table of buckets is full: full buckets leave it all the time.
_TABLE_FULL_RETRY_MS = 1_000


class LimitReport(NamedTuple):
    """One limit of a caller and what is left of it, for GetLimits."""

    scope: LimitScope
    rate: Gcra
    reserve: int
    remaining: int
    reset_ms: int


class Limiter:
    """Takes weights from buckets; one per server."""

    def __init__(self, policy: LimitPolicy) -> None:
        self.policy = policy
        self._meters: dict[LimitScope, _Meter] = {
            "key": _Meter(policy.key, policy),
            "account": _Meter(policy.account, policy),
            "address": _Meter(policy.address, policy),
        }
        self._exempt_accounts: set[str] = set()
        self._bans = Bans(policy)

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
        self,
        buckets: Sequence[Bucket],
        *,
        weight: int,
        now_ns: int,
        reduces_risk: bool = False,
        is_stranger: bool = False,
    ) -> LimitState:
        """Take `weight` from all buckets, or from none when one has not enough.

        A call that reduces risk may use the reserve, that of a stranger half of it, and is not
        subject to bans. Weight 0 is never refused. Without buckets nothing limits the call.
        """
        if not buckets or (self._exempt_accounts and self._is_exempt(buckets)):
            return EXEMPT
        if weight and not reduces_risk:
            ban = self._bans.check(buckets, now_ns)
            if ban is not None:
                return ban
        tightest: tuple[int, Bucket, int, int] | None = None
        charges = []
        for bucket in buckets:
            meter = self._meters[bucket.scope]
            limit = meter.usable(reduces_risk=reduces_risk, is_stranger=is_stranger)
            interval_ns = meter.rate.interval_ns
            backlog_ns = meter.backlog_ns(bucket.subject, now_ns) + weight * interval_ns
            left_ns = limit * interval_ns - backlog_ns
            if weight and left_ns < 0:
                return self._refuse(
                    buckets,
                    weight=weight,
                    now_ns=now_ns,
                    reduces_risk=reduces_risk,
                    is_stranger=is_stranger,
                )
            if weight and not meter.table.has_room(bucket.subject, now_ns):
                wait_ms = self._bans.count_refusal(buckets, now_ns, wait_ms=_TABLE_FULL_RETRY_MS)
                return LimitState(bucket.scope, limit, 0, 0, wait_ms, False)
            remaining = left_ns // interval_ns
            if tightest is None or remaining < tightest[0]:
                tightest = (remaining, bucket, limit, backlog_ns)
            charges.append((meter.table, bucket.subject, now_ns + backlog_ns))
        if weight:
            for table, subject, full_at_ns in charges:
                table.store(subject, full_at_ns, now_ns=now_ns)
        assert tightest is not None, "there is a bucket"
        remaining, bucket, limit, backlog_ns = tightest
        return LimitState(bucket.scope, limit, max(remaining, 0), to_ms(backlog_ns), 0, True)

    def ban(self, buckets: Sequence[Bucket], *, now_ns: int) -> LimitState | None:
        """Return the state of a sender that is banned, None of any other."""
        return self._bans.check(buckets, now_ns)

    def report(self, buckets: Sequence[Bucket], *, now_ns: int) -> tuple[LimitReport, ...]:
        """Return all limits of a caller without taking anything, for GetLimits."""
        reports = []
        for bucket in buckets:
            meter = self._meters[bucket.scope]
            backlog_ns = meter.backlog_ns(bucket.subject, now_ns)
            reports.append(
                LimitReport(
                    scope=bucket.scope,
                    rate=meter.rate,
                    reserve=meter.limit - meter.limit_of_risk,
                    remaining=(meter.rate.capacity_ns - backlog_ns) // meter.rate.interval_ns,
                    reset_ms=to_ms(backlog_ns),
                )
            )
        return tuple(reports)

    def _refuse(
        self,
        buckets: Sequence[Bucket],
        *,
        weight: int,
        now_ns: int,
        reduces_risk: bool,
        is_stranger: bool,
    ) -> LimitState:
        """Count a refusal and return the state of the bucket for which to wait longest."""
        refusals = []
        for bucket in buckets:
            meter = self._meters[bucket.scope]
            limit = meter.usable(reduces_risk=reduces_risk, is_stranger=is_stranger)
            refusal = meter.refusal(bucket, limit=limit, weight=weight, now_ns=now_ns)
            if refusal is not None:
                refusals.append(refusal)
        longest = max(refusals, key=_retry_after)
        wait_ms = self._bans.count_refusal(buckets, now_ns, wait_ms=longest.retry_after_ms)
        return longest._replace(retry_after_ms=wait_ms)

    def _is_exempt(self, buckets: Sequence[Bucket]) -> bool:
        return any(
            bucket.scope == "account" and bucket.subject in self._exempt_accounts
            for bucket in buckets
        )


class _Meter:
    """What all buckets of one scope have in common, and their state."""

    __slots__ = ("limit", "limit_of_risk", "rate", "table")

    def __init__(self, rate: Gcra, policy: LimitPolicy) -> None:
        self.rate = rate
        self.limit = rate.burst
        self.limit_of_risk = rate.burst - rate.burst * policy.reserve_percent // 100
        self.table = GcraTable(policy.subjects_max)

    def usable(self, *, reduces_risk: bool, is_stranger: bool) -> int:
        """Return how much of a burst a call may use."""
        if not reduces_risk:
            return self.limit_of_risk
        return (self.limit + self.limit_of_risk) // 2 if is_stranger else self.limit

    def backlog_ns(self, subject: str, now_ns: int) -> int:
        return self.table.backlog_ns(subject, self.rate.capacity_ns, now_ns=now_ns)

    def refusal(self, bucket: Bucket, *, limit: int, weight: int, now_ns: int) -> LimitState | None:
        """Return what to say when this bucket refuses, or None when it does not."""
        interval_ns = self.rate.interval_ns
        backlog_ns = self.backlog_ns(bucket.subject, now_ns)
        usable_ns = limit * interval_ns
        missing_ns = backlog_ns + weight * interval_ns - usable_ns
        if missing_ns <= 0:
            return None
        return LimitState(
            scope=bucket.scope,
            limit=limit,
            remaining=max(usable_ns - backlog_ns, 0) // interval_ns,
            reset_ms=to_ms(backlog_ns),
            # More than the limit at once never passes; then it is the time until it is whole.
            retry_after_ms=to_ms(min(missing_ns, backlog_ns)) or 1,
            allowed=False,
        )


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


def _retry_after(state: LimitState) -> int:
    return state.retry_after_ms
