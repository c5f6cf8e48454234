"""Session tokens: JWTs signed with Ed25519, at most 15 minutes, of one issuer for one environment.

Rules of this file (RFC 8725):

- The header of an acceptable token is one constant text: `alg`, `typ` and `kid` are ours. It is
  compared as text and never parsed, so `none`, HS256, another `typ`, `crit`, `jku`, `x5u`, `jwk`
  and whatever comes next are refused by one comparison. The algorithm is pinned a second time in
  the call to PyJWT.
- Nothing of the payload is believed before the signature is verified.
- Time is an argument, so PyJWT's own checks of time are off and made here.
- Only tokens that were verified or issued here are cached, under their hash, until they expire;
  what is cached is checked for its time and its end on each use. The cache may evict (it saves
  work, and lets its holder pass where forged tokens came from); the memory of ended sessions may
  not.

A session that a FIX Logon began may be renewed while its token is good, up to a day after the Logon
(`renewable_until`): its token never leaves the gateway, which has nothing else to sign in with. Any
other token is good for its few minutes, whoever has it. A renewed session keeps its `jti`, so what
ends it ends all its tokens.

Ended sessions are remembered by `jti` until their tokens have expired. When there are too many, all
sessions of the key that were issued until now end together: one entry in place of many, and nothing
comes back to life.

The signing key is best made anew at each start: no token outlives its process, so the memory of
ended sessions need not be durable. Clients see TOKEN_INVALID and sign in again.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tradewire_server.auth.encoding import encode_base64url
from tradewire_server.auth.errors import Exhausted, Reason, Unauthenticated
from tradewire_server.auth.keys import SCOPES, ApiKey, scope_text
from tradewire_server.auth.sealing import Entropy
from tradewire_server.auth.watchers import Callback, Watchers

LIFETIME_MAX_S = 900
# As long as a stream lives that a session opened.
RENEWAL_MAX_S = 24 * 3600
LEEWAY_MAX_S = 30
TOKEN_MAX = 2048

_ALGORITHM = "EdDSA"
_TYPE = "at+jwt"
_CLAIMS = (
    "iss",
    "aud",
    "sub",
    "jti",
    "iat",
    "nbf",
    "exp",
    "renewable_until",
    "scope",
    "account",
    "ticket",
)
_NOT_OURS = "The token is not a session of this venue and environment: create one (CreateSession)."
_NS_PER_S = 1_000_000_000
_JTI_BYTES = 16
_BEARER = re.compile(r"bearer +([A-Za-z0-9_.\-]+)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """The published numbers of sessions."""

    lifetime_s: int = field(
        default=LIFETIME_MAX_S, metadata={"unit": "s", "meaning": "Lifetime of a session token"}
    )
    leeway_s: int = field(
        default=5, metadata={"unit": "s", "meaning": "Tolerance for clocks when a token is checked"}
    )
    cached_max: int = field(
        default=20_000, metadata={"unit": "tokens", "meaning": "Verified tokens remembered"}
    )
    ended_max: int = field(
        default=50_000, metadata={"unit": "sessions", "meaning": "Ended sessions remembered singly"}
    )

    def __post_init__(self) -> None:
        if not 1 <= self.lifetime_s <= LIFETIME_MAX_S:
            raise ValueError(f"lifetime_s is {self.lifetime_s}, possible are 1 to {LIFETIME_MAX_S}")
        if not 0 <= self.leeway_s <= LEEWAY_MAX_S:
            raise ValueError(f"leeway_s is {self.leeway_s}, possible are 0 to {LEEWAY_MAX_S}")


@dataclass(frozen=True, slots=True)
class Session:
    """What a token says: who signed in, for what, until when (`expires_ns` is exclusive)."""

    token_id: str
    key_id: str
    account: str
    scopes: frozenset[str]
    issued_s: int
    expires_ns: int
    renewable_until_s: int
    """Until when it may be renewed; 0 when it may not."""
    is_from_ticket: bool = False


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """A new session and its token, which is shown once."""

    session: Session
    token: str = field(repr=False)


class TokenAuthority:
    """Issues, verifies and ends session tokens."""

    def __init__(
        self,
        *,
        environment: str,
        issuer: str,
        private_key: bytes,
        policy: TokenPolicy | None = None,
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        """`private_key` is the 32 bytes of an Ed25519 private key."""
        self.policy = policy if policy is not None else TokenPolicy()
        self._environment = environment
        self._issuer = issuer
        self._private_key = Ed25519PrivateKey.from_private_bytes(private_key)
        self._public_key = self._private_key.public_key()
        self._entropy = entropy
        self._key_thumbprint = _thumbprint(self._public_key.public_bytes_raw())
        self._headers = {"alg": _ALGORITHM, "typ": _TYPE, "kid": self._key_thumbprint}
        # PyJWT decides how the header is written, so it is asked.
        self._header_text = self._encode({}).partition(".")[0] + "."
        self._cache: dict[bytes, Session] = {}
        self._ended: dict[str, int] = {}
        self._cut_offs: dict[str, _CutOff] = {}
        self._watchers = Watchers()

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the published key set (RFC 7517, RFC 8037)."""
        key = {
            **_public_members(self._public_key.public_bytes_raw()),
            "use": "sig",
            "alg": _ALGORITHM,
            "kid": self._key_thumbprint,
        }
        return {"keys": [key]}

    def issue(
        self,
        key: ApiKey,
        *,
        scopes: frozenset[str],
        now_ns: int,
        is_renewable: bool = False,
        is_from_ticket: bool = False,
    ) -> IssuedSession:
        """Issue the token of a new session of this key with these scopes, which are some of its.

        The token ends with the key when that is earlier.

        Raises:
            Exhausted: RATE_LIMITED in the second in which all sessions of the key were ended
            together.
        """
        token_id = encode_base64url(self._entropy(_JTI_BYTES))
        until_s = now_ns // _NS_PER_S + RENEWAL_MAX_S if is_renewable else 0
        return self._issue(
            key,
            scopes,
            now_ns,
            token_id=token_id,
            renewable_until_s=until_s,
            is_from_ticket=is_from_ticket,
        )

    def renew(self, session: Session, key: ApiKey, now_ns: int) -> IssuedSession:
        """Issue a further token of a session, which was verified just now.

        Raises:
            Unauthenticated: UNAUTHENTICATED when it is not of the renewable kind, TOKEN_EXPIRED
                when it began too long ago.
            Exhausted: as `issue`.
        """
        if not session.renewable_until_s:
            raise Unauthenticated(
                Reason.UNAUTHENTICATED,
                "Only a session that a FIX Logon began is renewed with its token: sign again.",
            )
        if now_ns >= session.renewable_until_s * _NS_PER_S:
            raise Unauthenticated(
                Reason.TOKEN_EXPIRED,
                f"The session began more than {RENEWAL_MAX_S // 3600} hours ago: sign in again.",
            )
        return self._issue(
            key,
            session.scopes & key.scopes,
            now_ns,
            token_id=session.token_id,
            renewable_until_s=session.renewable_until_s,
        )

    def _issue(
        self,
        key: ApiKey,
        scopes: frozenset[str],
        now_ns: int,
        *,
        token_id: str,
        renewable_until_s: int,
        is_from_ticket: bool = False,
    ) -> IssuedSession:
        assert scopes <= key.scopes, "a session has no more scopes than its key"
        now_s = now_ns // _NS_PER_S
        self._check_cut_off(key.key_id, now_ns)
        expires_s = now_s + self.policy.lifetime_s
        if key.expires_ns is not None:
            expires_s = min(expires_s, key.expires_ns // _NS_PER_S)
        session = Session(
            token_id=token_id,
            key_id=key.key_id,
            account=key.account,
            scopes=scopes,
            issued_s=now_s,
            expires_ns=expires_s * _NS_PER_S,
            renewable_until_s=renewable_until_s,
            is_from_ticket=is_from_ticket,
        )
        claims = {
            "iss": self._issuer,
            "aud": self._environment,
            "sub": session.key_id,
            "jti": session.token_id,
            "iat": now_s,
            "nbf": now_s,
            "exp": expires_s,
            "renewable_until": renewable_until_s,
            "scope": scope_text(scopes),
            "account": session.account,
            "ticket": is_from_ticket,
        }
        token = self._encode(claims)
        self._remember(token, session)
        return IssuedSession(session, token)

    def recall(self, token: str, now_ns: int) -> Session | None:
        """Return the session of a token that is known to be ours, or None: then `verify` it.

        Raises:
            Unauthenticated: TOKEN_INVALID or TOKEN_EXPIRED.
        """
        session = self._cache.get(_digest(token))
        if session is not None:
            self._check_current(session, now_ns)
        return session

    def verify(self, token: str, now_ns: int) -> Session:
        """Verify a token and return its session, which is neither expired nor ended.

        Raises:
            TokenForged: TOKEN_INVALID after the work of a verification.
            Unauthenticated: TOKEN_INVALID or TOKEN_EXPIRED.
        """
        session = self._decode(token)
        self._check_current(session, now_ns)
        self._remember(token, session)
        return session

    def end(self, token_id: str, *, key_id: str, expires_ns: int, now_ns: int) -> None:
        """End a session: its token is refused from now on, and its streams are told."""
        leeway_s = self.policy.leeway_s
        self._forget_ended(now_ns)
        if len(self._ended) < self.policy.ended_max:
            # The session may have a younger token than the one that it was ended with.
            youngest_ns = max(expires_ns, now_ns + self.policy.lifetime_s * _NS_PER_S)
            self._ended[token_id] = youngest_ns + leeway_s * _NS_PER_S
        else:
            former = self._cut_offs.pop(key_id, None)
            self._cut_offs[key_id] = _CutOff(
                # A token may stem from a clock that was ahead, by no more than the leeway.
                issued_s=max(now_ns // _NS_PER_S + leeway_s, former.issued_s if former else 0),
                forget_ns=now_ns + (LIFETIME_MAX_S + 2 * leeway_s + 1) * _NS_PER_S,
            )
        self._watchers.notify(token_id)

    def is_ended(self, token_id: str, *, key_id: str, since_ns: int) -> bool:
        """Say whether a session of this key, which was good at `since_ns`, was ended after it."""
        cut_off = self._cut_offs.get(key_id)
        if cut_off is not None and since_ns // _NS_PER_S <= cut_off.issued_s:
            return True
        return token_id in self._ended

    def watch(self, token_id: str, on_end: Callback) -> Callback:
        """Call back once when the session is ended by `end`; returns the withdrawal."""
        if token_id in self._ended:
            on_end()
            return _nothing
        return self._watchers.add(token_id, on_end)

    def _encode(self, claims: dict[str, Any]) -> str:
        return jwt.encode(
            claims,
            self._private_key,
            algorithm=_ALGORITHM,
            headers=self._headers,
            sort_headers=True,
        )

    def _remember(self, token: str, session: Session) -> None:
        # All tokens live about equally long, so the first in is the first to expire.
        while len(self._cache) >= self.policy.cached_max:
            del self._cache[next(iter(self._cache))]
        self._cache[_digest(token)] = session

    def _decode(self, token: str) -> Session:
        if len(token) > TOKEN_MAX or not token.isascii() or not token.startswith(self._header_text):
            raise Unauthenticated(Reason.TOKEN_INVALID, _NOT_OURS)
        try:
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=[_ALGORITHM],
                audience=self._environment,
                issuer=self._issuer,
                options={
                    "require": list(_CLAIMS),
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidTokenError:
            raise TokenForged from None
        return _to_session(claims)

    def _check_current(self, session: Session, now_ns: int) -> None:
        leeway_ns = self.policy.leeway_s * _NS_PER_S
        if now_ns >= session.expires_ns + leeway_ns:
            raise Unauthenticated(
                Reason.TOKEN_EXPIRED, "The session has expired: create a new one (CreateSession)."
            )
        if session.issued_s * _NS_PER_S > now_ns + leeway_ns:
            raise Unauthenticated(
                Reason.TOKEN_INVALID, "The token is from the future: create a new session."
            )
        cut_off = self._cut_offs.get(session.key_id)
        if session.token_id in self._ended or (
            cut_off is not None and session.issued_s <= cut_off.issued_s
        ):
            raise Unauthenticated(
                Reason.TOKEN_INVALID, "The session was ended: create a new one (CreateSession)."
            )

    def _check_cut_off(self, key_id: str, now_ns: int) -> None:
        cut_off = self._cut_offs.get(key_id)
        if cut_off is not None and now_ns // _NS_PER_S <= cut_off.issued_s:
            wait_ns = (cut_off.issued_s + 1) * _NS_PER_S - now_ns
            raise Exhausted(
                Reason.RATE_LIMITED,
                "All sessions of this key were just ended: sign in again after `retry_after_ms`.",
                scope="sessions",
                limit=str(self.policy.ended_max),
                retry_after_ms=str(-(-wait_ns // 1_000_000)),
            )

    def _forget_ended(self, now_ns: int) -> None:
        # In the order in which they were ended: one that still counts keeps those behind it a
        # little longer than needed, and the work per call stays small.
        while self._ended and next(iter(self._ended.values())) <= now_ns:
            del self._ended[next(iter(self._ended))]
        while self._cut_offs and next(iter(self._cut_offs.values())).forget_ns <= now_ns:
            del self._cut_offs[next(iter(self._cut_offs))]


@dataclass(frozen=True, slots=True)
class _CutOff:
    """All sessions of a key issued up to this second are ended."""

    issued_s: int
    forget_ns: int


class TokenForged(Unauthenticated):
    """A token with our header that is not ours; told apart because finding out costs work."""

    def __init__(self) -> None:
        super().__init__(Reason.TOKEN_INVALID, _NOT_OURS)


def bearer_token(authorization: str) -> str:
    """Return the token of an `authorization` header.

    Raises:
        Unauthenticated: UNAUTHENTICATED when it is of another scheme or malformed.
    """
    match = _BEARER.fullmatch(authorization) if len(authorization) <= 2 * TOKEN_MAX else None
    if match is None:
        raise Unauthenticated(
            Reason.UNAUTHENTICATED,
            "The authorization header is not `Bearer <token>` with a token from CreateSession.",
        )
    return match.group(1)


def _to_session(claims: dict[str, Any]) -> Session:
    texts = [claims["sub"], claims["jti"], claims["scope"], claims["account"]]
    times = [claims["iat"], claims["nbf"], claims["exp"], claims["renewable_until"]]
    if any(type(text) is not str for text in texts) or any(type(time) is not int for time in times):
        raise TokenForged
    if type(claims["ticket"]) is not bool:
        raise TokenForged
    key_id, token_id, scope, account = texts
    issued_s, not_before_s, expires_s, renewable_until_s = times
    scopes = frozenset(scope.split(" "))
    lifetime_s = expires_s - issued_s
    if not scopes <= SCOPES or not_before_s != issued_s or lifetime_s > LIFETIME_MAX_S:
        raise TokenForged
    expires_ns = expires_s * _NS_PER_S
    return Session(
        token_id,
        key_id,
        account,
        scopes,
        issued_s,
        expires_ns,
        renewable_until_s,
        claims["ticket"],
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _public_members(public_key: bytes) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": encode_base64url(public_key)}


def _thumbprint(public_key: bytes) -> str:
    """Return the RFC 7638 thumbprint, so that a key has the same id everywhere."""
    members = json.dumps(_public_members(public_key), sort_keys=True, separators=(",", ":"))
    return encode_base64url(hashlib.sha256(members.encode("ascii")).digest())


def _nothing() -> None:
    return None
