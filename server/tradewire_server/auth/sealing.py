"""Secrets at rest: AES-256-GCM under the venue's master key.

An HMAC secret must be recoverable to verify a signature, so it is stored encrypted: whoever has the
journal but not the master key has nothing. The key id is authenticated with it (AAD), so a sealed
secret cannot be moved to another key. Form, version 1:

    01 | fingerprint of the master key, 4 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes

The fingerprint tells a wrong master key from a damaged secret, and lets `Sealer` open what an older
master key sealed while new secrets are sealed under the new one. Nonces are random: with 96 bits,
one master key is good for billions of secrets. A data key per secret would add nothing to secrets
of 47 bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MASTER_KEY_BYTES = 32

_VERSION = b"\x01"
_FINGERPRINT_BYTES = 4
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEADER_BYTES = len(_VERSION) + _FINGERPRINT_BYTES + _NONCE_BYTES

Entropy = Callable[[int], bytes]


class SealError(Exception):
    """A secret cannot be opened: a fault of the installation, never of a caller."""


class MasterKeyError(Exception):
    """The master key is missing, malformed or not protected."""


class Sealer:
    """Seals secrets under one master key and opens those of older ones."""

    def __init__(
        self,
        master_key: bytes,
        *,
        retired: Sequence[bytes] = (),
        entropy: Entropy = secrets.token_bytes,
    ) -> None:
        self._entropy = entropy
        self._fingerprint = _fingerprint(master_key)
        self._ciphers = {_fingerprint(key): AESGCM(key) for key in (*retired, master_key)}

    def seal(self, secret: bytes, *, key_id: str) -> bytes:
        """Encrypt the secret of this key."""
        nonce = self._entropy(_NONCE_BYTES)
        ciphertext = self._ciphers[self._fingerprint].encrypt(nonce, secret, _aad(key_id))
        return _VERSION + self._fingerprint + nonce + ciphertext

    def open(self, sealed: bytes, *, key_id: str) -> bytes:
        """Decrypt the secret of this key.

        Raises:
            SealError: it is not a sealed secret, of another master key, of another key, or damaged.
        """
        if len(sealed) < _HEADER_BYTES + _TAG_BYTES or sealed[:1] != _VERSION:
            raise SealError(f"The secret of key {key_id} is not a sealed secret of version 1.")
        fingerprint = sealed[1 : 1 + _FINGERPRINT_BYTES]
        cipher = self._ciphers.get(fingerprint)
        if cipher is None:
            raise SealError(
                f"The secret of key {key_id} was sealed under master key {fingerprint.hex()}, this "
                f"is {self._fingerprint.hex()}: start with the master key that it was sealed under."
            )
        nonce = sealed[1 + _FINGERPRINT_BYTES : _HEADER_BYTES]
        try:
            return cipher.decrypt(nonce, sealed[_HEADER_BYTES:], _aad(key_id))
        except InvalidTag:
            raise SealError(
                f"The secret of key {key_id} is damaged or belongs to another key."
            ) from None


def decode_master_key(text: str) -> bytes:
    """Decode a master key from base64, the form of the file and of TRADEWIRE_MASTER_KEY.

    Raises:
        MasterKeyError: it is not the base64 of 32 bytes.
    """
    try:
        key = base64.b64decode(text.strip().encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        raise MasterKeyError(
            "The master key is not the base64 of 32 bytes: make one with `openssl rand -base64 32`."
        )
    return key


def encode_master_key(key: bytes) -> str:
    """Encode a master key as base64."""
    return base64.b64encode(key).decode("ascii")


def _fingerprint(master_key: bytes) -> bytes:
    if len(master_key) != MASTER_KEY_BYTES:
        raise MasterKeyError(f"A master key has 32 bytes, this one has {len(master_key)}.")
    return hashlib.sha256(b"tradewire master key\0" + master_key).digest()[:_FINGERPRINT_BYTES]


def _aad(key_id: str) -> bytes:
    return b"tradewire sealed secret v1\0" + key_id.encode()
