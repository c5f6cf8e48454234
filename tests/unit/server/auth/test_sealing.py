"""Secrets at rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewire_server.auth.sealing import (
    MasterKeyError,
    Sealer,
    SealError,
    decode_master_key,
    encode_master_key,
)

from tests.unit.server.auth.venue import CountedEntropy

OLD, NEW = bytes(32), bytes([1] * 32)


@given(st.binary(max_size=100), st.text(max_size=30))
def test_what_is_sealed_opens_for_its_key(secret: bytes, key_id: str) -> None:
    sealer = Sealer(NEW)
    assert sealer.open(sealer.seal(secret, key_id=key_id), key_id=key_id) == secret


def test_sealing_twice_gives_two_texts_without_the_secret() -> None:
    sealer = Sealer(NEW, entropy=CountedEntropy())
    first, second = (sealer.seal(b"secret" * 8, key_id="tw_1") for _ in range(2))
    assert first != second
    assert b"secret" not in first


def test_a_sealed_secret_cannot_be_moved_to_another_key() -> None:
    sealer = Sealer(NEW)
    with pytest.raises(SealError, match="belongs to another key"):
        sealer.open(sealer.seal(b"s", key_id="tw_1"), key_id="tw_2")


def test_damage_anywhere_is_noticed() -> None:
    sealer = Sealer(NEW)
    sealed = sealer.seal(b"secret", key_id="tw_1")
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        with pytest.raises(SealError):
            sealer.open(bytes(damaged), key_id="tw_1")


@pytest.mark.parametrize("sealed", [b"", b"\x01" * 32, b"\x02" + bytes(60)])
def test_what_is_no_sealed_secret_is_refused(sealed: bytes) -> None:
    with pytest.raises(SealError, match="not a sealed secret of version 1"):
        Sealer(NEW).open(sealed, key_id="tw_1")


def test_a_wrong_master_key_is_told_from_damage() -> None:
    sealed = Sealer(OLD).seal(b"s", key_id="tw_1")
    with pytest.raises(SealError, match="start with the master key that it was sealed under"):
        Sealer(NEW).open(sealed, key_id="tw_1")


def test_a_retired_master_key_opens_and_does_not_seal() -> None:
    old, both = Sealer(OLD), Sealer(NEW, retired=[OLD])
    assert both.open(old.seal(b"s", key_id="tw_1"), key_id="tw_1") == b"s"
    assert Sealer(NEW).open(both.seal(b"s", key_id="tw_1"), key_id="tw_1") == b"s"


def test_a_master_key_comes_back_from_its_text() -> None:
    assert decode_master_key(f" {encode_master_key(NEW)}\n") == NEW


@pytest.mark.parametrize("text", ["", "AAAA", encode_master_key(NEW)[:-4], "not base64!", "é"])
def test_what_is_no_master_key_is_refused(text: str) -> None:
    with pytest.raises(MasterKeyError, match="openssl rand -base64 32"):
        decode_master_key(text)


def test_a_master_key_has_32_bytes() -> None:
    with pytest.raises(MasterKeyError, match="this one has 31"):
        Sealer(bytes(31))
