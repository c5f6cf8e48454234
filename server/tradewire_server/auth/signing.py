"""The strings to sign, and the two algorithms that sign them.

Request (REST), lines separated by one line feed, none at the end:

    TRADEWIRE-V1
    <environment>                     keeps a sandbox signature from working in production
    <timestamp>                       milliseconds since the epoch, decimal
    <nonce>                           16 to 64 of A-Z a-z 0-9 _ -
    <METHOD>                          as sent, capital letters
    <path with query>                 as sent, from the first slash
    <hex SHA-256 of the body>         of the exact bytes, lower case; the empty body has one too

Session (CreateSession): the first four lines and `SESSION`.

FIX Logon(A): MsgType(35), SenderCompID(49), TargetCompID(56), MsgSeqNum(34), SendingTime(52) as on
the wire, separated by SOH: Binance's scheme, whose published example is a test here. It names no
environment, so a key pair should be used in one environment only.

A field with a separator inside could move into its neighbour, so none may hold control characters.
A signature does not name its key id; `KeyRing.check_public_key` keeps one public key from having
two.

The HMAC key is the secret's text as shown, in ASCII, prefix included: what `openssl dgst -hmac`
takes. Python's cryptography (OpenSSL) refuses a non-canonical S, so nobody but the key's holder can
alter a signature.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tradewire_server.auth.encoding import encode_base64url

PREAMBLE = "TRADEWIRE-V1"
SESSION = "SESSION"

HEADER_KEY = "x-api-key"
HEADER_TIMESTAMP = "x-api-timestamp"
HEADER_NONCE = "x-api-nonce"
HEADER_SIGNATURE = "x-api-signature"
HEADER_RECV_WINDOW = "x-api-recv-window"

ED25519_SIGNATURE_BYTES = 64
HMAC_SIGNATURE_BYTES = 32
# Longer than any of the two in any accepted base64.
SIGNATURE_TEXT_MAX = 88
KEY_ID_MAX = 64
PATH_MAX = 8192

_SOH = "\x01"
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
_METHOD = re.compile(r"[A-Z]{1,16}", re.ASCII)
_PATH = re.compile(r"/[!-~]*", re.ASCII)
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_FIX_FIELD = re.compile(r"[ -~]{1,64}", re.ASCII)
_SENDING_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAP_SECOND = 60


@dataclass(frozen=True, slots=True)
class RequestParts:
    """A request as it came over the wire, without what is known here (the environment)."""

    timestamp_ms: int
    nonce: str
    method: str
    path: str
    body: bytes


def request_payload(parts: RequestParts, *, environment: str) -> bytes | None:
    """Build the string to sign of a request; None when a part cannot stand in it."""
    if _METHOD.fullmatch(parts.method) is None or not _is_path(parts.path):
        return None
    return _lines(
        environment,
        str(parts.timestamp_ms),
        parts.nonce,
        parts.method,
        parts.path,
        hashlib.sha256(parts.body).hexdigest(),
    )


def session_payload(*, environment: str, timestamp_ms: int, nonce: str) -> bytes:
    """Build the string to sign of CreateSession."""
    return _lines(environment, str(timestamp_ms), nonce, SESSION)


def fix_logon_payload(
    *, sender_comp_id: str, target_comp_id: str, msg_seq_num: str, sending_time: str
) -> bytes | None:
    """Build the string to sign of a FIX Logon(A); None when a field cannot stand in it."""
    fields = ("A", sender_comp_id, target_comp_id, msg_seq_num, sending_time)
    if any(_FIX_FIELD.fullmatch(value) is None for value in fields):
        return None
    return _SOH.join(fields).encode("ascii")


def is_nonce(text: str) -> bool:
    """Say whether this is a nonce: 16 to 64 characters of A-Z a-z 0-9 _ -."""
    return _NONCE.fullmatch(text) is not None


def is_environment(name: str) -> bool:
    """Say whether this can name an environment: 1 to 32 of a-z 0-9 -."""
    return _ENVIRONMENT.fullmatch(name) is not None


def parse_decimal(text: str) -> int | None:
    """Parse a timestamp or window: decimal digits, nothing else, no leading zero, at most 16."""
    return int(text) if _DECIMAL.fullmatch(text) is not None else None


def parse_sending_time(text: str) -> int | None:
    """Parse SendingTime(52), `YYYYMMDD-HH:MM:SS` with up to nine decimals, to milliseconds."""
    match = _SENDING_TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    # FIX allows the leap second; it is the first second of the next minute, as POSIX counts.
    leap = second == _LEAP_SECOND
    try:
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC)
    except ValueError:
        return None
    whole_s = (moment - _EPOCH) // timedelta(seconds=1) + leap
    return whole_s * 1000 + int((match.group(7) or "").ljust(3, "0")[:3])


def signature_nonce(signature: bytes) -> str:
    """Return the nonce of a Logon(A), which has none of its own: the hash of its signature."""
    return encode_base64url(hashlib.sha256(signature).digest())


def sign_ed25519(payload: bytes, *, private_key: bytes) -> bytes:
    """Sign with the 32 bytes of an Ed25519 private key."""
    return Ed25519PrivateKey.from_private_bytes(private_key).sign(payload)


def sign_hmac(payload: bytes, *, secret: bytes) -> bytes:
    """Sign with HMAC-SHA256; the secret is the ASCII text that was shown."""
    return hmac.digest(secret, payload, "sha256")


def verify_ed25519(payload: bytes, *, signature: bytes, public_key: bytes) -> bool:
    """Verify an Ed25519 signature."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, payload)
    except InvalidSignature:
        return False
    return True


def verify_hmac(payload: bytes, *, signature: bytes, secret: bytes) -> bool:
    """Verify an HMAC-SHA256 signature in constant time."""
    return hmac.compare_digest(sign_hmac(payload, secret=secret), signature)


def _lines(*parts: str) -> bytes:
    return "\n".join((PREAMBLE, *parts)).encode("ascii")


def _is_path(path: str) -> bool:
    return len(path) <= PATH_MAX and _PATH.fullmatch(path) is not None
