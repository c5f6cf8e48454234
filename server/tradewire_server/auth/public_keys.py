"""Ed25519 public keys as callers give them, checked before they are registered.

OpenSSL verifies with whatever 32 bytes it is given. Some of them are no key: bytes that are no
point of the curve never verify anything, and for a point of small order anyone can make signatures.
Both are refused when the key is registered, with the formulas of RFC 8032, section 5.1.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tradewire_server.auth.encoding import decode_base64, decode_base64url
from tradewire_server.auth.errors import InvalidRequest

PUBLIC_KEY_BYTES = 32

# An Ed25519 key in SubjectPublicKeyInfo is this and the key: RFC 8410, section 4.
_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")
_TEXT_MAX = 1024

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


def parse_public_key(text: str) -> bytes:
    """Return the 32 bytes of a public key given as PEM, or as base64 of the raw or the DER form.

    Raises:
        InvalidRequest: it is none of these, or not a point that can be a key.
    """
    stripped = text.strip()
    if len(stripped) > _TEXT_MAX:
        raise _refusal(f"{len(stripped)} characters are too many for a public key")
    raw = _from_pem(stripped) if stripped.startswith("-----") else _from_base64(stripped)
    check_public_key(raw)
    return raw


def check_public_key(raw: bytes) -> None:
    """Refuse bytes that are no usable Ed25519 public key.

    Raises:
        InvalidRequest: wrong length, not canonical, not on the curve, or of small order.
    """
    if len(raw) != PUBLIC_KEY_BYTES:
        raise _refusal(f"an Ed25519 public key has 32 bytes, this has {len(raw)}")
    number = int.from_bytes(raw, "little")
    y, x_is_odd = number & (2**255 - 1), number >> 255
    if y >= _P:
        raise _refusal("the key is not in canonical form")
    y2 = y * y % _P
    # x² = (y² - 1) / (d y² + 1); the divisor is never 0, because -1/d is no square.
    x2 = (y2 - 1) * pow(_D * y2 + 1, -1, _P) % _P
    if pow(x2, (_P - 1) // 2, _P) == _P - 1 or (x2 == 0 and x_is_odd):
        raise _refusal("the key is not a point of the curve")
    if _is_small_order(y2):
        raise _refusal("the key is a point of small order, for which anyone can sign")


def _is_small_order(y2: int) -> bool:
    # The eight points: y = ±1 has order 1 and 2, y = 0 has order 4, and a point of order 8 doubles
    # to y = 0, which with the curve's equation gives d y⁴ + 2 y² - 1 = 0.
    return y2 in (0, 1) or (_D * y2 * y2 + 2 * y2 - 1) % _P == 0


def _from_pem(text: str) -> bytes:
    try:
        key = serialization.load_pem_public_key(text.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        raise _refusal("the PEM block holds no public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _refusal("the PEM block holds a key of another algorithm")
    return key.public_bytes_raw()


def _from_base64(text: str) -> bytes:
    decoded = decode_base64url(text)
    if decoded is None:
        decoded = decode_base64(text)
    if decoded is None:
        raise _refusal("it is neither PEM nor base64")
    return decoded.removeprefix(_SPKI_PREFIX)


def _refusal(why: str) -> InvalidRequest:
    return InvalidRequest(
        "public_key",
        f"Not a usable Ed25519 public key: {why}. Send the PEM that `openssl pkey -pubout` writes.",
    )
