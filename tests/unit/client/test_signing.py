"""Signatures are those of the published vectors; keys are read and written safely."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tradewire_client import ConfigurationError, Ed25519Key, HmacKey, session_payload
from tradewire_client._signing import encode_signature, key_from_mapping

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "vectors" / "signing.json").read_text())
SEED = bytes.fromhex(VECTORS["ed25519"]["private_key_hex"])
SECRET = VECTORS["hmac"]["secret"]


@pytest.mark.parametrize("vector", VECTORS["sessions"], ids=lambda vector: vector["name"])
def test_session_vectors(vector: Any) -> None:
    payload = session_payload(
        environment=vector["environment"],
        timestamp_ms=vector["timestamp_ms"],
        nonce=vector["nonce"],
    )
    assert payload == vector["string_to_sign"].encode()
    ed25519 = Ed25519Key.from_seed("k", SEED)
    assert encode_signature(ed25519.sign(payload)) == vector["ed25519_signature"]
    assert encode_signature(HmacKey("k", SECRET).sign(payload)) == vector["hmac_signature"]


def test_seed_and_pem_are_the_same_key() -> None:
    known = VECTORS["ed25519"]
    from_pem = Ed25519Key.from_pem("k", known["private_key_pem"])
    assert from_pem.public_key == known["public_key_base64url"]
    assert Ed25519Key.from_seed("k", SEED).public_key == known["public_key_base64url"]


def test_a_generated_key_signs_for_its_public_half() -> None:
    key = Ed25519Key.generate().with_api_key("tw_new")
    public = base64.urlsafe_b64decode(key.public_key + "=")
    Ed25519PublicKey.from_public_bytes(public).verify(key.sign(b"text"), b"text")
    assert key.api_key == "tw_new"
    assert Ed25519Key.from_seed("", key.private_bytes()).public_key == key.public_key


@pytest.mark.parametrize(
    "key", [Ed25519Key.from_seed("tw_a", SEED), HmacKey("tw_b", SECRET)], ids=["ed25519", "hmac"]
)
def test_a_saved_key_is_private_and_comes_back(key: Any, tmp_path: Any) -> None:
    path = tmp_path / "key.json"
    key.save(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = type(key).from_file(path)
    assert (again.api_key, again.sign(b"x")) == (key.api_key, key.sign(b"x"))
    with pytest.raises(FileExistsError):
        key.save(path)


def test_a_pem_file_needs_the_id_beside_it(tmp_path: Any) -> None:
    path = tmp_path / "key.pem"
    path.write_text(VECTORS["ed25519"]["private_key_pem"])

    assert Ed25519Key.from_file(path, api_key="tw_a").api_key == "tw_a"
    with pytest.raises(ConfigurationError, match="pass api_key"):
        Ed25519Key.from_file(path)


def test_the_other_kind_of_key_is_named(tmp_path: Any) -> None:
    path = tmp_path / "key.json"
    HmacKey("tw_b", SECRET).save(path)
    with pytest.raises(ConfigurationError, match=r"use HmacKey\.from_file"):
        Ed25519Key.from_file(path)


@pytest.mark.parametrize("key", [Ed25519Key.from_seed("tw_a", SEED), HmacKey("tw_b", SECRET)])
def test_secrets_are_not_shown(key: Any) -> None:
    assert repr(key) in ("Ed25519Key(api_key='tw_a')", "HmacKey(api_key='tw_b')")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "the key has no 'api_key'"),
        ({"api_key": "k"}, "the key has no 'private_key'"),
        ({"api_key": "k", "private_key": "AAAA"}, "32 bytes, this has 3"),
        ({"api_key": "k", "private_key": "*"}, "not base64url"),
        ({"api_key": "k", "algorithm": "rsa"}, "'rsa' is neither"),
        ({"api_key": "k", "algorithm": "hmac-sha256"}, "the key has no 'secret'"),
    ],
)
def test_a_bad_entry_is_explained(entry: Any, problem: Any) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        key_from_mapping(entry)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b"-----BEGIN NOTHING-----"])
def test_a_file_without_a_key_is_explained(content: Any, tmp_path: Any) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError):
        Ed25519Key.from_file(path, api_key="k")


def test_a_pem_key_of_another_algorithm_is_refused() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(ConfigurationError, match="another algorithm"):
        Ed25519Key.from_pem("k", pem)
