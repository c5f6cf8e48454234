"""Tickets: whoever has a key lets somebody begin one session who is not to have the key.

A server that holds a key makes a ticket and hands it to a page or a program, which signs in with
it. Rules:

- A ticket is 256 random bits. Only its hash is kept, so what is in memory begins no session.
- Redeeming takes it out, whatever comes of it. Unknown, used, too old, and made by a session that
  was ended are one answer, TICKET_INVALID with one text: who tries tickets learns nothing.
- It has the account of the key and some or all scopes of who made it, never more.
- It ends with what made it: when the key is revoked or expires, when the session that made it is
  ended, and no later than that session's token. The session that was begun with it goes on: it is
  its holder's, and ends with the key, with its own end, and with its token.
- A session that was begun with a ticket makes no tickets. Else a ticket of 30 seconds would be good
  for ever: each session would make the ticket of the next. Whoever gave the first one is asked for
  the next one, and may say no. For the same reason it makes no keys, see `check_makes_keys`.
- A key that operates the venue has no tickets: it is accepted on the admin listener only, and
  leaving its scope out would bring it to where everybody can call.

The table is bounded, and so is what one key may hold of it. All tickets live equally long but those
that end with a token, so the oldest is about the first to expire, and dropping them costs nothing
to speak of.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

from tradewire_server.auth.caller import Caller
from tradewire_server.auth.encoding import encode_base64url
from tradewire_server.auth.errors import Exhausted, PermissionDenied, Reason, Unauthenticated
from tradewire_server.auth.keys import scope_text
from tradewire_server.auth.sealing import Entropy

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_TICKET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPolicy:
    """The published numbers of tickets."""

    ticket_life_s: int = field(
        default=30, metadata={"unit": "s", "meaning": "Time from making a ticket to its session"}
    )
    tickets_max: int = field(
        default=50_000, metadata={"unit": "tickets", "meaning": "Made, not yet used"}
    )
    tickets_per_key_max: int = field(
        default=500, metadata={"unit": "tickets", "meaning": "Made, not yet used, of one key"}
    )

    def __post_init__(self) -> None:
        if not 1 <= self.ticket_life_s <= 60:
            raise ValueError(f"ticket_life_s is {self.ticket_life_s}, possible are 1 to 60")
        if min(self.tickets_max, self.tickets_per_key_max) < 1:
            raise ValueError("tickets_max and tickets_per_key_max are at least 1")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket stands for; `maker_token_id` is the session that made it, None: a signature."""

    key_id: str
    scopes: frozenset[str]
    maker_token_id: str | None
    issued_ns: int
    expires_ns: int


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """A new ticket, which is shown once; `expires_ns` is exclusive."""

    text: str = field(repr=False)
    expires_ns: int


class TicketTable:
    """The tickets that were made and neither used nor expired."""

    def __init__(
        self, policy: TicketPolicy | None = None, *, entropy: Entropy = secrets.token_bytes
    ) -> None:
        self.policy = policy if policy is not None else TicketPolicy()
        self._entropy = entropy
        # By hash, in the order in which they were made.
        self._tickets: dict[bytes, Ticket] = {}
        self._held: dict[str, dict[bytes, Ticket]] = {}

    def __len__(self) -> int:
        return len(self._tickets)

    def issue(self, caller: Caller, *, scopes: frozenset[str], now_ns: int) -> IssuedTicket:
        """Make a ticket of a caller with some of its scopes, or with all if none are given.

        Raises:
            PermissionDenied: SCOPE_NOT_GRANTABLE.
            Exhausted: RATE_LIMITED, the key has too many; OVERLOADED, all keys together have.
        """
        granted = scopes or caller.scopes
        _check_maker(caller, granted)
        self._check_room(caller.key_id, now_ns)
        text = encode_base64url(self._entropy(_TICKET_BYTES))
        expires_ns = now_ns + self.policy.ticket_life_s * _NS_PER_S
        if caller.token_id is not None:
            expires_ns = min(expires_ns, caller.expires_ns)
        ticket = Ticket(caller.key_id, granted, caller.token_id, now_ns, expires_ns)
        digest = _digest(text)
        self._tickets[digest] = ticket
        self._held.setdefault(caller.key_id, {})[digest] = ticket
        return IssuedTicket(text, expires_ns)

    def redeem(self, text: str, now_ns: int) -> Ticket:
        """Return what a ticket stands for, once. Its key and its maker are the caller's to check.

        Raises:
            TicketInvalid: it is unknown, used or too old.
        """
        ticket = self._take(_digest(text))
        if ticket is None or not self._is_alive(ticket, now_ns):
            raise TicketInvalid
        return ticket

    def _check_room(self, key_id: str, now_ns: int) -> None:
        self._drop_expired(now_ns)
        policy = self.policy
        held = self._held.get(key_id, {})
        if len(held) >= policy.tickets_per_key_max:
            # One that ended with a token may stand behind others that live on.
            for digest in [key for key, found in held.items() if not self._is_alive(found, now_ns)]:
                self._take(digest)
        if len(held) >= policy.tickets_per_key_max:
            soonest_ns = min(found.expires_ns for found in held.values())
            wait_ms = -(-(soonest_ns - now_ns) // _NS_PER_MS)
            raise Exhausted(
                Reason.RATE_LIMITED,
                f"The key has {policy.tickets_per_key_max} tickets that nobody has used: make one "
                f"when it is needed.",
                scope="tickets",
                limit=str(policy.tickets_per_key_max),
                retry_after_ms=str(wait_ms),
            )
        if len(self._tickets) >= policy.tickets_max:
            raise Exhausted(
                Reason.OVERLOADED, "Too many tickets are not yet used: try again in a moment."
            )

    def _is_alive(self, ticket: Ticket, now_ns: int) -> bool:
        # More than a whole life is left when the clock was set back.
        return 0 < ticket.expires_ns - now_ns <= self.policy.ticket_life_s * _NS_PER_S

    def _drop_expired(self, now_ns: int) -> None:
        while self._tickets:
            digest, oldest = next(iter(self._tickets.items()))
            if self._is_alive(oldest, now_ns):
                return
            self._take(digest)

    def _take(self, digest: bytes) -> Ticket | None:
        ticket = self._tickets.pop(digest, None)
        if ticket is not None:
            held = self._held[ticket.key_id]
            del held[digest]
            if not held:
                del self._held[ticket.key_id]
        return ticket


class TicketInvalid(Unauthenticated):
    """A ticket begins no session; why is not said."""

    def __init__(self) -> None:
        super().__init__(
            Reason.TICKET_INVALID,
            "The ticket is unknown, was used before or is too old: get a new one (CreateTicket).",
        )


def check_makes_keys(caller: Caller) -> None:
    """Refuse keys to a session that was begun with a ticket: they would outlive it.

    Raises:
        PermissionDenied: SCOPE_NOT_GRANTABLE.
    """
    if caller.is_from_ticket:
        raise PermissionDenied(
            Reason.SCOPE_NOT_GRANTABLE,
            "A session that was begun with a ticket makes no keys: sign in with a key.",
            requested="",
            granted=scope_text(caller.scopes),
        )


def _check_maker(caller: Caller, scopes: frozenset[str]) -> None:
    if caller.is_from_ticket:
        text = (
            "A session that was begun with a ticket makes no tickets: ask whoever gave that one "
            "for the next."
        )
    elif "admin" in caller.scopes:
        text = "A key that operates the venue has no tickets: sign in with the key itself."
    elif scopes <= caller.scopes:
        return
    else:
        excess = ", ".join(sorted(scopes - caller.scopes))
        text = f"A ticket cannot grant what its maker does not have: leave out {excess}."
    raise PermissionDenied(
        Reason.SCOPE_NOT_GRANTABLE,
        text,
        requested=scope_text(scopes),
        granted=scope_text(caller.scopes),
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
