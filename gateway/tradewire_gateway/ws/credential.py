"""Who a connection is signed in as, and what its calls carry."""

import base64
import binascii
import json
import time
from dataclasses import dataclass
from typing import Final

from tradewire.v1 import session_service_pb2

# The venue believes a gateway within its process, or behind its edge socket.
CLIENT_ADDRESS: Final = "x-tradewire-client-address"
AUTHORIZATION: Final = "authorization"
_BEARER = "bearer "
_JWT_PARTS = 3

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """A session token; `expires_s` since the epoch, None when it does not say. `account` is empty
    until the venue has said it.
    """

    token: str
    account: str = ""
    expires_s: float | None = None

    @classmethod
    def of_session(cls, session: session_service_pb2.CreateSessionResponse) -> "Credential":
        """Return what a CreateSessionResponse gives."""
        expires = session.expire_time
        return cls(
            token=session.token,
            account=session.account,
            expires_s=expires.seconds + expires.nanos / 1e9,
        )

    @classmethod
    def of_header(cls, authorization: str) -> "Credential | None":
        """Return the token of a header `authorization: Bearer ...`, None when it has none."""
        if authorization[: len(_BEARER)].lower() != _BEARER:
            return None
        token = authorization[len(_BEARER) :].strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            return None
        account, expires_s = _claims(token)
        return cls(token=token, account=account, expires_s=expires_s)

    @property
    def has_expired(self) -> bool:
        """Whether calls with it will be refused."""
        return self.expires_s is not None and time.time() >= self.expires_s


def metadata_of(credential: Credential | None, address: str) -> Metadata:
    """Return what the calls of a connection carry."""
    where = (CLIENT_ADDRESS, address)
    if credential is None:
        return (where,)
    return ((AUTHORIZATION, f"Bearer {credential.token}"), where)


def _claims(token: str) -> tuple[str, float | None]:
    """Return whose token a JWT says it is and when it ends, without believing it: the venue sees
    the token itself with each call.
    """
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return "", None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        account, expires_s = claims["account"], claims["exp"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return "", None
    if type(account) is not str or type(expires_s) is not int:
        return "", None
    return account, float(expires_s)
