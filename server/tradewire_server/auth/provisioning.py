"""Makes and rotates API keys: checks what is asked and draws ids and secrets.

Nothing is stored here: the result is the content of an event, which the journal keeps and
`KeyRing.add` applies.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field

from tradewire_server.auth.addresses import parse_allow_list
from tradewire_server.auth.encoding import encode_base64url
from tradewire_server.auth.errors import InvalidRequest
from tradewire_server.auth.keys import SCOPES, Algorithm, ApiKey, KeyRing, check_grant
from tradewire_server.auth.public_keys import check_public_key
from tradewire_server.auth.sealing import Entropy, Sealer

LABEL_MAX = 64
SECRET_PREFIX = "tws_"
ROTATION_OVERLAP_MAX_NS = 7 * 86_400 * 1_000_000_000

_KEY_ID_PREFIX = "tw_"
_KEY_ID_BYTES = 16
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """What is asked for. `public_key` is needed for ed25519 and must be empty for hmac-sha256."""

    account: str
    scopes: frozenset[str] = frozenset({"read"})
    algorithm: Algorithm = "ed25519"
    public_key: bytes = b""
    addresses: tuple[str, ...] = ()
    expires_ns: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key, and the secret that is shown this once (empty for ed25519)."""

    key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RotatedKey:
    """The successor of a key, and when the former one ends (for `KeyRing.expire`)."""

    created: CreatedKey
    former_key_id: str
    former_expires_ns: int


class KeyMaker:
    """Makes keys for one ring under one sealer."""

    def __init__(
        self, ring: KeyRing, sealer: Sealer, *, entropy: Entropy = secrets.token_bytes
    ) -> None:
        self._ring = ring
        self._sealer = sealer
        self._entropy = entropy

    def create(
        self, request: KeyRequest, *, creator_scopes: frozenset[str] | None, now_ns: int
    ) -> CreatedKey:
        """Make a key; `creator_scopes` None is the venue's operator, who may grant any.

        Raises:
            InvalidRequest: FIELD_INVALID.
            PermissionDenied: SCOPE_NOT_GRANTABLE.
            Exhausted: KEY_LIMIT.
        """
        addresses = _check_request(request, now_ns)
        if creator_scopes is not None:
            check_grant(request.scopes, granted=creator_scopes)
        if request.algorithm == "ed25519":
            check_public_key(request.public_key)
            self._ring.check_public_key(request.public_key)
        self._ring.check_room(request.account, now_ns)
        return self._make(request, addresses, now_ns)

    def rotate(
        self,
        former: ApiKey,
        *,
        public_key: bytes,
        overlap_ns: int,
        creator_scopes: frozenset[str] | None,
        now_ns: int,
    ) -> RotatedKey:
        """Make a successor with the same rights; both are live for `overlap_ns`.

        Raises:
            As `create`; InvalidRequest also when the former key is not live.
        """
        if not former.is_live(now_ns):
            raise InvalidRequest("api_key", "The key is revoked or has expired: create a new one.")
        if not 0 <= overlap_ns <= ROTATION_OVERLAP_MAX_NS:
            raise InvalidRequest(
                "overlap_seconds", "Both keys can be live for 0 seconds to 7 days."
            )
        request = KeyRequest(
            account=former.account,
            scopes=former.scopes,
            algorithm=former.algorithm,
            public_key=public_key,
            addresses=former.addresses,
            # The successor lives as long as the former one was to live, counted from now.
            expires_ns=_successor_expiry(former, now_ns),
            label=former.label,
        )
        created = self.create(request, creator_scopes=creator_scopes, now_ns=now_ns)
        ends_ns = now_ns + overlap_ns
        if former.expires_ns is not None:
            ends_ns = min(ends_ns, former.expires_ns)
        return RotatedKey(created, former.key_id, ends_ns)

    def _make(self, request: KeyRequest, addresses: tuple[str, ...], now_ns: int) -> CreatedKey:
        key_id = self._new_id()
        secret, sealed = "", b""
        if request.algorithm == "hmac-sha256":
            secret = SECRET_PREFIX + encode_base64url(self._entropy(_SECRET_BYTES))
            sealed = self._sealer.seal(secret.encode("ascii"), key_id=key_id)
        key = ApiKey(
            key_id=key_id,
            account=request.account,
            scopes=request.scopes,
            algorithm=request.algorithm,
            public_key=request.public_key,
            sealed_secret=sealed,
            addresses=addresses,
            created_ns=now_ns,
            expires_ns=request.expires_ns,
            revoked_ns=None,
            label=request.label,
        )
        return CreatedKey(key, secret)

    def _new_id(self) -> str:
        drawn = base64.b32encode(self._entropy(_KEY_ID_BYTES)).decode("ascii")
        return _KEY_ID_PREFIX + drawn.rstrip("=")


def _check_request(request: KeyRequest, now_ns: int) -> tuple[str, ...]:
    if not request.scopes or not request.scopes <= SCOPES:
        raise InvalidRequest("scopes", f"Name one or more of {', '.join(sorted(SCOPES))}.")
    if len(request.label) > LABEL_MAX or not (request.label.isprintable()):
        raise InvalidRequest("label", f"A label has at most {LABEL_MAX} printable characters.")
    if request.expires_ns is not None and request.expires_ns <= now_ns:
        raise InvalidRequest("expire_time", "The expiry is in the past.")
    if request.algorithm == "hmac-sha256" and request.public_key:
        raise InvalidRequest("public_key", "An HMAC key has no public key: leave it out.")
    return parse_allow_list(request.addresses)


def _successor_expiry(former: ApiKey, now_ns: int) -> int | None:
    if former.expires_ns is None:
        return None
    return now_ns + (former.expires_ns - former.created_ns)
