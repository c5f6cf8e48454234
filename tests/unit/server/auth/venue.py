"""A venue's auth package put together for tests, with keys whose private halves are known."""

import hashlib
import hmac as hmac_module
import itertools
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tradewire_server.auth.authenticator import Authenticator
from tradewire_server.auth.keys import ApiKey, KeyRing
from tradewire_server.auth.limit_policy import LimitPolicy
from tradewire_server.auth.proofs import FixLogonProof, SessionProof, SignedRequest
from tradewire_server.auth.replay import ReplayGuard, ReplayPolicy
from tradewire_server.auth.sealing import Sealer
from tradewire_server.auth.throttle import SignInThrottle
from tradewire_server.auth.tokens import TokenAuthority, TokenPolicy

ENVIRONMENT = "sandbox"
ISSUER = "tradewire"
ADDRESS = "192.0.2.7"
NOW_MS = 1_760_000_000_000
NOW_NS = NOW_MS * 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
SECRET = b"tws_a-secret-that-was-shown-once"


class CountedEntropy:
    """Bytes that look random, differ in each draw and are the same in each run."""

    def __init__(self) -> None:
        self._draws = itertools.count()

    def __call__(self, length: int) -> bytes:
        drawn = hashlib.sha256(b"entropy %d" % next(self._draws)).digest()
        return (drawn * (length // len(drawn) + 1))[:length]


def private_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def ed25519_key(
    key_id: str = "tw_ED",
    *,
    account: str = "alice",
    scopes: frozenset[str] = frozenset({"read", "trade"}),
    addresses: tuple[str, ...] = (),
    expires_ns: int | None = None,
) -> ApiKey:
    return ApiKey(
        key_id=key_id,
        account=account,
        scopes=scopes,
        algorithm="ed25519",
        public_key=private_key(key_id).public_key().public_bytes_raw(),
        sealed_secret=b"",
        addresses=addresses,
        created_ns=NOW_NS - DAY,
        expires_ns=expires_ns,
        revoked_ns=None,
        label="",
    )


class Venue:
    """Everything that an `Authenticator` is made of, and clients that sign."""

    def __init__(
        self,
        *,
        limits: LimitPolicy | None = None,
        tokens: TokenPolicy | None = None,
        replay: ReplayPolicy | None = None,
        floor_ms: int = 0,
    ) -> None:
        self.entropy = CountedEntropy()
        self.keys = KeyRing()
        self.sealer = Sealer(bytes(32), entropy=self.entropy)
        self.tokens = TokenAuthority(
            environment=ENVIRONMENT,
            issuer=ISSUER,
            private_key=hashlib.sha256(b"token key").digest(),
            policy=tokens,
            entropy=self.entropy,
        )
        self.replay = ReplayGuard(replay or ReplayPolicy(), floor_ms=floor_ms)
        self.throttle = SignInThrottle(limits or LimitPolicy())
        self.authenticator = Authenticator(
            environment=ENVIRONMENT,
            keys=self.keys,
            sealer=self.sealer,
            tokens=self.tokens,
            replay=self.replay,
            throttle=self.throttle,
            entropy=self.entropy,
        )

    def add_ed25519(
        self,
        key_id: str = "tw_ED",
        *,
        scopes: frozenset[str] = frozenset({"read", "trade"}),
        addresses: tuple[str, ...] = (),
        expires_ns: int | None = None,
    ) -> ApiKey:
        key = ed25519_key(key_id, scopes=scopes, addresses=addresses, expires_ns=expires_ns)
        self.keys.add(key)
        return key

    def add_hmac(self, key_id: str = "tw_HM") -> ApiKey:
        key = replace(
            ed25519_key(key_id),
            algorithm="hmac-sha256",
            public_key=b"",
            sealed_secret=self.sealer.seal(SECRET, key_id=key_id),
        )
        self.keys.add(key)
        return key

    def session_proof(
        self,
        key_id: str = "tw_ED",
        *,
        nonce: str | None = None,
        now_ns: int = NOW_NS,
        signer: str | None = None,
    ) -> SessionProof:
        """Sign in as this key; `signer` is the key that signs, if it is another one."""
        nonce = nonce if nonce is not None else base64url(self.entropy(16))
        timestamp_ms = now_ns // 1_000_000
        payload = f"TRADEWIRE-V1\n{ENVIRONMENT}\n{timestamp_ms}\n{nonce}\nSESSION".encode()
        return SessionProof(
            key_id=key_id,
            timestamp_ms=timestamp_ms,
            nonce=nonce,
            signature=base64url(self.sign(payload, signer or key_id)),
        )

    def fix_logon(self, key_id: str = "tw_ED", *, now_ns: int = NOW_NS) -> FixLogonProof:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_ns // 1000)
        sending_time = moment.strftime("%Y%m%d-%H:%M:%S.%f")[:-3]
        payload = f"A\x01CLIENT\x01TW-ORDERS\x011\x01{sending_time}".encode()
        return FixLogonProof(
            key_id=key_id,
            sender_comp_id="CLIENT",
            target_comp_id="TW-ORDERS",
            msg_seq_num="1",
            sending_time=sending_time,
            raw_data=b64encode(self.sign(payload, key_id)).decode(),
        )

    def signed_request(
        self,
        key_id: str = "tw_ED",
        *,
        signer: str | None = None,
        path: str = "/v1/orders?symbol=BTC-USD",
        body: bytes = b'{"side":"BUY"}',
        now_ns: int = NOW_NS,
    ) -> SignedRequest:
        nonce = base64url(self.entropy(16))
        timestamp = str(now_ns // 1_000_000)
        digest = hashlib.sha256(body).hexdigest()
        payload = f"TRADEWIRE-V1\n{ENVIRONMENT}\n{timestamp}\n{nonce}\nPOST\n{path}\n{digest}"
        return SignedRequest(
            key_id=key_id,
            timestamp=timestamp,
            nonce=nonce,
            signature=base64url(self.sign(payload.encode(), signer or key_id)),
            method="POST",
            path=path,
            body=body,
        )

    def sign(self, payload: bytes, signer: str) -> bytes:
        if signer.startswith("tw_HM"):
            return hmac_module.new(SECRET, payload, hashlib.sha256).digest()
        return private_key(signer).sign(payload)
