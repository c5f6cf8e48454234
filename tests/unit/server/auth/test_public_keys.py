"""Public keys as callers give them."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.errors import InvalidRequest
from tradewire_server.auth.public_keys import check_public_key, parse_public_key

from tests.unit.server.auth.venue import base64url, private_key

PUBLIC = private_key("tw_1").public_key()
RAW = PUBLIC.public_bytes_raw()
DER = PUBLIC.public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)
PEM = PUBLIC.public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
).decode()
P = 2**255 - 19
# Points of order 1, 2, 4, 8: as listed in "Taming the many EdDSAs" (Chalkias and others, 2020).
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
]


@pytest.mark.parametrize(
    "text",
    [
        PEM,
        f"\n {PEM}\n",
        base64url(RAW),
        base64.b64encode(RAW).decode(),
        base64url(DER),
        base64.b64encode(DER).decode(),
    ],
)
def test_every_usual_form_is_read(text: str) -> None:
    assert parse_public_key(text) == RAW


def _pem_of_another_algorithm() -> str:
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "32 bytes, this has 0"),
        ("%%%", "neither PEM nor base64"),
        ("AAAA", "32 bytes, this has 3"),
        ("A" * 2000, "2000 characters are too many"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "holds no public key"),
        ("-----é", "holds no public key"),
        (_pem_of_another_algorithm(), "a key of another algorithm"),
    ],
)
def test_everything_else_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why) as refusal:
        parse_public_key(text)
    assert refusal.value.metadata == {"field": "public_key"}


@pytest.mark.parametrize("encoded", SMALL_ORDER)
def test_a_point_of_small_order_is_no_key(encoded: str) -> None:
    with pytest.raises(InvalidRequest, match="small order"):
        check_public_key(bytes.fromhex(encoded))


def test_openssl_would_let_anyone_sign_for_a_point_of_small_order() -> None:
    # R = the neutral element and S = 0 sign everything for the neutral element as key.
    identity = bytes.fromhex(SMALL_ORDER[0])
    Ed25519PublicKey.from_public_bytes(identity).verify(identity + bytes(32), b"any message")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (P, "canonical"),
        (P + 1, "canonical"),
        (2**255 - 1, "canonical"),
        (2, "not a point"),
        (1 | 1 << 255, "not a point"),
        (P - 1 | 1 << 255, "not a point"),
    ],
)
def test_what_is_no_point_in_canonical_form_is_no_key(number: int, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        check_public_key(number.to_bytes(32, "little"))


@given(st.text(min_size=1, max_size=20))
def test_every_real_key_is_accepted(name: str) -> None:
    check_public_key(private_key(name).public_key().public_bytes_raw())
