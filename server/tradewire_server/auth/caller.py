"""The caller of a request: what is known after authentication, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass

from tradewire_server.auth.addresses import limit_subject
from tradewire_server.auth.buckets import Bucket
from tradewire_server.auth.errors import PermissionDenied, Reason, Unauthenticated
from tradewire_server.auth.keys import PUBLIC, SCOPES, scope_text


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with which scopes, from where.

    `token_id` is None when the request itself is signed. `expires_ns` is exclusive: the end of the
    token, or of the receive window of a signed request, at which a command that still waits is
    refused. `is_from_ticket` says that the session was begun with a ticket.
    """

    account: str
    key_id: str
    scopes: frozenset[str]
    address: str | None
    token_id: str | None
    expires_ns: int
    is_from_ticket: bool = False

    @property
    def is_signed(self) -> bool:
        """Say whether the request carried a signature of its own and no token."""
        return self.token_id is None

    def buckets(self) -> tuple[Bucket, ...]:
        """Return what limits this caller; worth keeping for a stream."""
        return (
            Bucket("key", self.key_id),
            Bucket("account", self.account),
            *address_buckets(self.address),
        )


def address_buckets(address: str | None) -> tuple[Bucket, ...]:
    """Return what limits a caller that is not authenticated; nothing without an address."""
    return (Bucket("address", limit_subject(address)),) if address is not None else ()


def authorise(caller: Caller | None, scope: str) -> None:
    """Refuse a caller without the scope that a method needs. No scope contains another one.

    Raises:
        Unauthenticated: UNAUTHENTICATED, no credential for a method that needs one.
        PermissionDenied: SCOPE_MISSING.
    """
    if scope == PUBLIC:
        return
    assert scope in SCOPES, f"{scope!r} is no scope of the contract"
    if caller is None:
        raise missing_credential()
    if scope not in caller.scopes:
        raise PermissionDenied(
            Reason.SCOPE_MISSING,
            f"This needs the scope {scope!r}, the credential has {scope_text(caller.scopes)!r}: "
            f"use a key with that scope, and a session created with it.",
            required=scope,
            granted=scope_text(caller.scopes),
        )


def missing_credential() -> Unauthenticated:
    """Make the error of a call that needs a credential and has none."""
    return Unauthenticated(
        Reason.UNAUTHENTICATED,
        "This needs a credential: send `authorization: Bearer <token>`, the token from "
        "CreateSession, or over REST sign the request.",
    )
