"""Keys, and the string that they sign.

A session is opened by a signature over five lines, with no line feed at the end:

    TRADEWIRE-V1
    <environment>       keeps a sandbox signature from working in production
    <timestamp>         milliseconds since the epoch, by the venue's clock
    <nonce>             16 to 64 of A-Z a-z 0-9 _ -, never used before
    SESSION

Ed25519 is the one to use: the venue knows the public half only. An HMAC secret is the text as it
was shown, prefix included, and both sides hold it. Signatures are base64url without padding.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tradewire_client._errors import ConfigurationError

PREAMBLE = "TRADEWIRE-V1"
SESSION = "SESSION"
ED25519 = "ed25519"
HMAC_SHA256 = "hmac-sha256"

_SEED_BYTES = 32
_PRIVATE_TO_THE_OWNER = 0o600


class Key(Protocol):
    """What signs in: an id that the venue knows, and a way to sign. A hardware key fits as well."""

    @property
    def api_key(self) -> str:
        """The key's id."""

    def sign(self, payload: bytes) -> bytes:
        """Return the signature of the payload."""


def session_payload(*, environment: str, timestamp_ms: int, nonce: str) -> bytes:
    """Return the string to sign of CreateSession."""
    return "\n".join((PREAMBLE, environment, str(timestamp_ms), nonce, SESSION)).encode("ascii")


def encode_signature(signature: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(signature).rstrip(b"=").decode("ascii")


@dataclass(frozen=True, slots=True)
class Ed25519Key:
    """An Ed25519 key pair and the id under which the venue knows it."""

    api_key: str
    _private_key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, api_key: str = "") -> Self:
        """Make a new pair; register `public_key` with `keys.create`, then use `with_api_key`."""
        return cls(api_key, Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, api_key: str, seed: bytes) -> Self:
        """Make the pair that follows from the 32 bytes of a private key.

        Raises:
            ConfigurationError: there are not 32 of them.
        """
        if len(seed) != _SEED_BYTES:
            raise ConfigurationError(f"an Ed25519 private key has 32 bytes, this has {len(seed)}")
        return cls(api_key, Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, api_key: str, pem: bytes | str, *, password: bytes | None = None) -> Self:
        """Read a PKCS#8 private key, as `openssl genpkey -algorithm ed25519` writes it.

        Raises:
            ConfigurationError: it is no such key, or the password is wrong.
        """
        raw = pem.encode("ascii") if isinstance(pem, str) else pem
        try:
            private_key = serialization.load_pem_private_key(raw, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(f"the PEM block cannot be read: {error}") from error
        if not isinstance(private_key, Ed25519PrivateKey):
            raise ConfigurationError("the PEM block holds a key of another algorithm")
        return cls(api_key, private_key)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, api_key: str = "", password: bytes | None = None
    ) -> Self:
        """Read a PEM file, with `api_key` beside it, or a JSON file as `save` writes it.

        Raises:
            ConfigurationError: the file holds no such key, or does not say its id.
            OSError: the file cannot be read.
        """
        content = Path(path).read_bytes()
        if content.lstrip().startswith(b"-----"):
            if not api_key:
                raise ConfigurationError(
                    f"{path}: a PEM file does not say the key's id, pass api_key"
                )
            return cls.from_pem(api_key, content, password=password)
        key = key_from_mapping(_parse_json(content, path))
        if not isinstance(key, cls):
            raise ConfigurationError(f"{path}: the key is an HMAC secret, use HmacKey.from_file")
        return key.with_api_key(api_key) if api_key else key

    def with_api_key(self, api_key: str) -> Self:
        """Return the same pair under an id."""
        return type(self)(api_key, self._private_key)

    @property
    def public_key(self) -> str:
        """The public half, as `keys.create` takes it."""
        return encode_signature(self._private_key.public_key().public_bytes_raw())

    def private_bytes(self) -> bytes:
        """Return the 32 bytes of the private key; whoever has them is you."""
        return self._private_key.private_bytes_raw()

    def sign(self, payload: bytes) -> bytes:
        """Return the 64 bytes of the signature."""
        return self._private_key.sign(payload)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write id and private key as JSON to a new file that only its owner can read.

        Raises:
            FileExistsError: there is one already.
        """
        seed = encode_signature(self.private_bytes())
        _write_private(path, {"api_key": self.api_key, "algorithm": ED25519, "private_key": seed})


@dataclass(frozen=True, slots=True)
class HmacKey:
    """A secret that the venue showed once, and its id."""

    api_key: str
    _secret: str = field(repr=False)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Read a JSON file as `save` writes it.

        Raises:
            ConfigurationError: the file holds no HMAC secret.
            OSError: the file cannot be read.
        """
        key = key_from_mapping(_parse_json(Path(path).read_bytes(), path))
        if not isinstance(key, cls):
            raise ConfigurationError(f"{path}: the key is an Ed25519 key, use Ed25519Key.from_file")
        return key

    def sign(self, payload: bytes) -> bytes:
        """Return the 32 bytes of the HMAC."""
        return hmac.digest(self._secret.encode("ascii"), payload, hashlib.sha256)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write id and secret as JSON to a new file that only its owner can read.

        Raises:
            FileExistsError: there is one already.
        """
        _write_private(
            path, {"api_key": self.api_key, "algorithm": HMAC_SHA256, "secret": self._secret}
        )


def key_from_mapping(entry: Mapping[str, Any]) -> Ed25519Key | HmacKey:
    """Return the key that an entry of a key file or of `demo.json` describes.

    Raises:
        ConfigurationError: something is missing or malformed.
    """
    try:
        api_key, algorithm = str(entry["api_key"]), str(entry.get("algorithm", ED25519))
        if algorithm == ED25519:
            return Ed25519Key.from_seed(api_key, _decode(str(entry["private_key"])))
        if algorithm == HMAC_SHA256:
            return HmacKey(api_key, str(entry["secret"]))
    except KeyError as error:
        raise ConfigurationError(f"the key has no {error.args[0]!r}") from error
    raise ConfigurationError(
        f"the key's algorithm {algorithm!r} is neither {ED25519} nor {HMAC_SHA256}"
    )


def _decode(text: str) -> bytes:
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise ConfigurationError("the private key is not base64url") from error


def _parse_json(content: bytes, path: str | os.PathLike[str]) -> Mapping[str, Any]:
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise ConfigurationError(f"{path}: neither PEM nor JSON") from error
    if not isinstance(parsed, dict):
        raise ConfigurationError(f"{path}: the JSON is not an object")
    return parsed


def _write_private(path: str | os.PathLike[str], entry: Mapping[str, str]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, _PRIVATE_TO_THE_OWNER), "w", encoding="ascii") as file:
        json.dump(entry, file, indent=2)
        file.write("\n")
