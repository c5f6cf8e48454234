"""One-use handles: an HTTP request that was checked becomes a call that is let in.

Theory of operation. Envoy shows each request to the checker (`api/rest`) before it turns it into a
call. The checker answers with a handle, Envoy adds it to the call, and the edge redeems it: once,
for the method that was checked, within its life. What the handle stands for (who signed the
request, from where) never leaves this process, so nothing between the two can change it. A call
that Envoy made without asking has no handle, and one that was heard on the way has been used.

Rules:

- A handle is random; it says nothing and cannot be guessed.
- Redeeming takes it out, whatever comes of it: there is no second try.
- The table is bounded, and so is what one address may hold of it: requests that are abandoned after
  they were checked leave handles behind until these expire. Of both bounds a part is a reserve for
  what reduces risk, so who leaves handles behind does not stop the cancels of others.
- All handles live equally long, so the oldest is the first to expire, and dropping them costs
  nothing to speak of. A handle that seems to have more than a whole life left is from before the
  clock was set back, and dropped too.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from tradewire_server.auth.addresses import limit_subject
from tradewire_server.auth.caller import Caller
from tradewire_server.auth.encoding import encode_base64url
from tradewire_server.auth.errors import Exhausted, Reason, Unauthenticated
from tradewire_server.auth.sealing import Entropy

_NS_PER_S = 1_000_000_000
_HANDLE_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlePolicy:
    """The published numbers of requests that were checked and are not yet served."""

    handle_life_s: int = field(
        default=30,
        metadata={"unit": "s", "meaning": "Time from the check of a request to its call"},
    )
    handles_max: int = field(
        default=50_000, metadata={"unit": "requests", "meaning": "Checked, not yet served"}
    )
    handles_per_address_max: int = field(
        default=5_000,
        metadata={"unit": "requests", "meaning": "Checked, not yet served, of one address"},
    )
    handles_reserve_percent: int = field(
        default=10,
        metadata={
            "unit": "%",
            "meaning": "Part of both numbers kept for requests that reduce risk",
        },
    )

    def usable(self, most: int, *, reduces_risk: bool) -> int:
        """Return how much of a bound a request may use."""
        return most if reduces_risk else most - most * self.handles_reserve_percent // 100


@dataclass(frozen=True, slots=True)
class Grant:
    """What a handle stands for: a call of this method, by who signed it (None: nobody did)."""

    method: str
    caller: Caller | None
    address: str | None
    expires_ns: int


class HandleTable:
    """The handles that were issued and neither redeemed nor expired."""

    def __init__(
        self, policy: HandlePolicy | None = None, *, entropy: Entropy = secrets.token_bytes
    ) -> None:
        self.policy = policy if policy is not None else HandlePolicy()
        self._entropy = entropy
        # In the order in which they were issued, which is that in which they expire.
        self._grants: dict[str, Grant] = {}
        self._held: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._grants)

    def check_room(self, address: str | None, now_ns: int, *, reduces_risk: bool = False) -> None:
        """Refuse when there is no room for a handle; ask before anything that cannot be undone.

        Raises:
            Exhausted: OVERLOADED, or RATE_LIMITED when it is this address that has too many.
        """
        self._drop_expired(now_ns)
        policy = self.policy
        if len(self._grants) >= policy.usable(policy.handles_max, reduces_risk=reduces_risk):
            raise Exhausted(
                Reason.OVERLOADED, "Too many requests wait to be served: try again in a moment."
            )
        most = policy.usable(policy.handles_per_address_max, reduces_risk=reduces_risk)
        if address is not None and self._held.get(limit_subject(address), 0) >= most:
            raise Exhausted(
                Reason.RATE_LIMITED,
                "Too many requests of this address were begun and given up: let them come to an "
                "end before the next.",
                scope="requests",
                limit=str(most),
                retry_after_ms=str(policy.handle_life_s * 1_000),
            )

    def issue(
        self,
        method: str,
        *,
        caller: Caller | None,
        address: str | None,
        now_ns: int,
        reduces_risk: bool = False,
    ) -> str:
        """Return a handle for one call of a method, given by its gRPC path.

        Raises:
            Exhausted: as `check_room`.
        """
        self.check_room(address, now_ns, reduces_risk=reduces_risk)
        handle = encode_base64url(self._entropy(_HANDLE_BYTES))
        expires_ns = now_ns + self.policy.handle_life_s * _NS_PER_S
        self._grants[handle] = Grant(method, caller, address, expires_ns)
        if address is not None:
            subject = limit_subject(address)
            self._held[subject] = self._held.get(subject, 0) + 1
        return handle

    def redeem(self, handle: str, method: str, now_ns: int) -> Grant:
        """Return what a handle stands for, once.

        Raises:
            Unauthenticated: UNAUTHENTICATED, with a text that says what is wrong with it.
        """
        grant = self._take(handle)
        if grant is None:
            raise _refusal("is not known: it was used before, or it has expired")
        if not self._is_alive(grant, now_ns):
            raise _refusal(f"has expired: it lives {self.policy.handle_life_s} s")
        if grant.method != method:
            raise _refusal(f"is for a call of {grant.method}")
        return grant

    def _is_alive(self, grant: Grant, now_ns: int) -> bool:
        return 0 < grant.expires_ns - now_ns <= self.policy.handle_life_s * _NS_PER_S

    def _drop_expired(self, now_ns: int) -> None:
        while self._grants:
            oldest = next(iter(self._grants))
            if self._is_alive(self._grants[oldest], now_ns):
                return
            self._take(oldest)

    def _take(self, handle: str) -> Grant | None:
        grant = self._grants.pop(handle, None)
        if grant is not None and grant.address is not None:
            subject = limit_subject(grant.address)
            self._held[subject] -= 1
            if not self._held[subject]:
                del self._held[subject]
        return grant


def _refusal(what: str) -> Unauthenticated:
    return Unauthenticated(
        Reason.UNAUTHENTICATED,
        f"The handle of this request's check {what}. Send the request again.",
    )
