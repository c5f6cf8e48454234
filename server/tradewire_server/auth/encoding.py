"""Strict base64: an altered text is never another spelling of the same bytes.

The standard library skips characters outside the alphabet and ignores stray trailing bits. A
signature that has many spellings is a replay protection problem and a source of bugs in clients, so
both are refused here. Rules, as published in the signing guide:

- signatures of requests and sessions: base64url (RFC 4648, section 5), without padding or with
  exactly the right padding, because half of the standard libraries of the world add it;
- RawData(96) of a FIX Logon(A): standard base64 with padding, as Binance has it.
"""

from __future__ import annotations

import base64
import binascii


def encode_base64url(value: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def decode_base64url(text: str) -> bytes | None:
    """Decode base64url with or without padding; None when the text is not exactly that."""
    bare = text.rstrip("=")
    decoded = _decode(bare + "=" * (-len(bare) % 4), altchars=b"-_")
    if decoded is None:
        return None
    canonical = encode_base64url(decoded)
    padded = canonical + "=" * (-len(canonical) % 4)
    return decoded if text in (canonical, padded) else None


def decode_base64(text: str) -> bytes | None:
    """Decode standard base64 with padding; None when the text is not exactly that."""
    decoded = _decode(text, altchars=b"+/")
    if decoded is None or base64.b64encode(decoded).decode("ascii") != text:
        return None
    return decoded


def _decode(padded: str, *, altchars: bytes) -> bytes | None:
    try:
        return base64.b64decode(padded.encode("ascii"), altchars=altchars, validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
