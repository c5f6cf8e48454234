"""The refusals of this package: what is wrong, in the contract's words, and what to do next.

AuthError
├── Unauthenticated    who is calling is not established
├── PermissionDenied   who is calling is known and may not do this
├── Exhausted          a limit is used up; `retry_after_ms` says when to try again
└── InvalidRequest     a request to make or change a key is not acceptable as it stands

`reason` is the name of a value of the contract's `Reason` enum without its prefix; the gRPC edge
maps it to codes and adds nothing but the status. Texts are written for the caller and hold no
secret.
"""

from __future__ import annotations

import enum


class Reason(enum.StrEnum):
    """Names of the contract's reasons that this package uses."""

    FIELD_INVALID = "FIELD_INVALID"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    TIMESTAMP_OUT_OF_WINDOW = "TIMESTAMP_OUT_OF_WINDOW"
    NONCE_REUSED = "NONCE_REUSED"
    NONCE_CACHE_FULL = "NONCE_CACHE_FULL"
    KEY_REVOKED = "KEY_REVOKED"
    KEY_EXPIRED = "KEY_EXPIRED"
    KEY_LIMIT = "KEY_LIMIT"
    KEY_NOT_FOUND = "KEY_NOT_FOUND"
    ADDRESS_NOT_ALLOWED = "ADDRESS_NOT_ALLOWED"
    TOKEN_INVALID = "TOKEN_INVALID"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    TICKET_INVALID = "TICKET_INVALID"
    SCOPE_MISSING = "SCOPE_MISSING"
    SCOPE_NOT_GRANTABLE = "SCOPE_NOT_GRANTABLE"
    RATE_LIMITED = "RATE_LIMITED"
    OVERLOADED = "OVERLOADED"


class AuthError(Exception):
    """A refusal: it had no effect, and the caller is told why."""

    def __init__(self, reason: Reason, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = metadata

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason}, {self.message!r}, {self.metadata!r})"


class Unauthenticated(AuthError):
    """Who is calling is not established."""


class PermissionDenied(AuthError):
    """Who is calling is known and may not do this."""


class Exhausted(AuthError):
    """A limit is used up."""


class InvalidRequest(AuthError):
    """A request to make or change a key is not acceptable; the metadata has its `field`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(Reason.FIELD_INVALID, message, field=field)
