"""Verifies a proof against a key in a way that does not tell whether the key exists.

Rule: the work done depends on the form of the signature, never on the key. A signature of 64 bytes
costs one Ed25519 verification, one of 32 bytes one opening of a sealed secret and one HMAC. When
there is no such key, or the key is of the other algorithm, the work is done with a dummy key and
the answer is no. A refusal then has one reason and one text, SIGNATURE_INVALID, so key ids cannot
be found out by asking or by timing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tradewire_server.auth.keys import ApiKey
from tradewire_server.auth.sealing import Entropy, Sealer
from tradewire_server.auth.signing import (
    ED25519_SIGNATURE_BYTES,
    HMAC_SIGNATURE_BYTES,
    verify_ed25519,
    verify_hmac,
)

SIGNATURE_BYTES = frozenset({ED25519_SIGNATURE_BYTES, HMAC_SIGNATURE_BYTES})

_DUMMY_ID = "tw_dummy"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Proof:
    """What a caller presents: a signature over a payload, made at a time, with a nonce.

    The window is what the caller asked for; it is not signed, so it never weakens the replay
    protection.
    """

    key_id: str
    timestamp_ms: int
    window_ms: int
    nonce: str
    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class VerifiedProof:
    """A proof whose signature is that of the key. Only `Verifier.verify` makes one."""

    proof: Proof
    key: ApiKey


class Verifier:
    """Verifies proofs with constant work."""

    def __init__(self, sealer: Sealer, *, entropy: Entropy = secrets.token_bytes) -> None:
        self._sealer = sealer
        dummy_private = Ed25519PrivateKey.from_private_bytes(entropy(_SECRET_BYTES))
        self._dummy_public = dummy_private.public_key().public_bytes_raw()
        self._dummy_sealed = sealer.seal(entropy(_SECRET_BYTES), key_id=_DUMMY_ID)

    def verify(self, proof: Proof, key: ApiKey | None) -> VerifiedProof | None:
        """Return the verified proof, or None; revocation, expiry and addresses are not looked at.

        Raises:
            SealError: the key's secret cannot be opened.
        """
        assert len(proof.signature) in SIGNATURE_BYTES, "the form is checked when it is decoded"
        if len(proof.signature) == ED25519_SIGNATURE_BYTES:
            matches = self._verify_ed25519(proof, key)
        else:
            matches = self._verify_hmac(proof, key)
        return VerifiedProof(proof, key) if matches and key is not None else None

    def open_secret(self, key: ApiKey) -> bytes:
        """Open the secret of an HMAC key.

        Raises:
            SealError: it cannot be opened.
        """
        return self._sealer.open(key.sealed_secret, key_id=key.key_id)

    def _verify_ed25519(self, proof: Proof, key: ApiKey | None) -> bool:
        applies = key is not None and key.algorithm == "ed25519"
        public_key = key.public_key if key is not None and applies else self._dummy_public
        return (
            verify_ed25519(proof.payload, signature=proof.signature, public_key=public_key)
            and applies
        )

    def _verify_hmac(self, proof: Proof, key: ApiKey | None) -> bool:
        if key is not None and key.algorithm == "hmac-sha256":
            secret, applies = self.open_secret(key), True
        else:
            secret, applies = self._sealer.open(self._dummy_sealed, key_id=_DUMMY_ID), False
        return verify_hmac(proof.payload, signature=proof.signature, secret=secret) and applies
