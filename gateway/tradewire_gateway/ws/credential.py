"""Who a connection is signed in as, and what its calls carry."""

import base64
import binascii
import json
import time
from dataclasses import dataclass
from typing import Final, NamedTuple

from tradewire.v1 import options_pb2, session_service_pb2

# The venue believes a gateway within its process, or behind its edge socket.
CLIENT_ADDRESS: Final = "x-tradewire-client-address"
AUTHORIZATION: Final = "authorization"
_BEARER = "bearer "
_SCOPE = "SCOPE_"
_JWT_PARTS = 3

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """A session token; `expires_s` since the epoch, None when it does not say.

    `account`, `key` (its id) and `scopes` are empty until the venue has said them.
    """

    token: str
    account: str = ""
    expires_s: float | None = None
    key: str = ""
    scopes: frozenset[str] = frozenset()

    @classmethod
    def of_session(cls, session: session_service_pb2.CreateSessionResponse) -> "Credential":
        """Return what a CreateSessionResponse gives."""
        expires = session.expire_time
        names = [options_pb2.Scope.Name(scope) for scope in session.scopes]
        return cls(
            token=session.token,
            account=session.account,
            expires_s=expires.seconds + expires.nanos / 1e9,
            key=_claims(session.token).key,
            scopes=frozenset(name.removeprefix(_SCOPE).lower() for name in names),
        )

    @classmethod
    def of_header(cls, authorization: str) -> "Credential | None":
        """Return the token of a header `authorization: Bearer ...`, None when it has none."""
        if authorization[: len(_BEARER)].lower() != _BEARER:
            return None
        token = authorization[len(_BEARER) :].strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            return None
        claims = _claims(token)
        return cls(token, claims.account, claims.expires_s, claims.key, claims.scopes)

    @property
    def has_expired(self) -> bool:
        """Whether calls with it will be refused."""
        return self.expires_s is not None and time.time() >= self.expires_s

    def differs(self, other: "Credential") -> str:
        """Return what another one is that this is not, as a text; empty when they act alike.

        Of an unknown account nothing is alike; a key or scopes that are unknown are taken for the
        same.
        """
        if self.account != other.account:
            return _other(self.account, other.account)
        if self.key and other.key and self.key != other.key:
            return _other(f"{self.account} with the key {self.key}", f"the key {other.key}")
        if self.scopes and other.scopes and self.scopes != other.scopes:
            may = [", ".join(sorted(each.scopes)) for each in (self, other)]
            return _other(f"{self.account} with the scopes {may[0]}", f"the scopes {may[1]}")
        return ""


def _other(former: str, wanted: str) -> str:
    return (
        f"the connection is signed in as {former or 'somebody else'}: open another one for "
        f"{wanted}, or session.logout first"
    )


def metadata_of(credential: Credential | None, address: str) -> Metadata:
    """Return what the calls of a connection carry."""
    where = (CLIENT_ADDRESS, address)
    if credential is None:
        return (where,)
    return ((AUTHORIZATION, f"Bearer {credential.token}"), where)


class _Claims(NamedTuple):
    account: str = ""
    expires_s: float | None = None
    key: str = ""
    scopes: frozenset[str] = frozenset()


def _claims(token: str) -> _Claims:
    """Return what a JWT says of itself, without believing it: the venue sees the token itself with
    each call.
    """
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return _Claims()
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        account, expires_s = claims["account"], claims["exp"]
        key, scope = claims.get("sub", ""), claims.get("scope", "")
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _Claims()
    if type(account) is not str or type(expires_s) is not int:
        return _Claims()
    if type(key) is not str or type(scope) is not str:
        key, scope = "", ""
    return _Claims(account, float(expires_s), key, frozenset(scope.split()))
