"""Constant work: a refusal does not tell whether the key exists."""

from collections import Counter
from dataclasses import replace

import pytest
from tradewire_server.auth import verifier as module
from tradewire_server.auth.keys import ApiKey
from tradewire_server.auth.sealing import Sealer, SealError
from tradewire_server.auth.signing import sign_hmac, verify_ed25519, verify_hmac
from tradewire_server.auth.verifier import Proof, VerifiedProof, Verifier

from tests.unit.server.auth.venue import NOW_MS, Venue, ed25519_key

PAYLOAD = b"payload"


def _proof(signature: bytes) -> Proof:
    return Proof("tw_ED", NOW_MS, 5_000, "n" * 16, PAYLOAD, signature)


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def verifier(venue: Venue) -> Verifier:
    return Verifier(venue.sealer, entropy=venue.entropy)


def test_a_right_signature_gives_a_verified_proof(venue: Venue, verifier: Verifier) -> None:
    for key in (venue.add_ed25519(), venue.add_hmac()):
        proof = _proof(venue.sign(PAYLOAD, key.key_id))
        assert verifier.verify(proof, key) == VerifiedProof(proof, key)


def test_a_right_signature_of_another_key_is_refused(venue: Venue, verifier: Verifier) -> None:
    ed25519, mac = venue.add_ed25519(), venue.add_hmac()
    assert verifier.verify(_proof(venue.sign(PAYLOAD, "tw_other")), ed25519) is None
    assert verifier.verify(_proof(venue.sign(PAYLOAD, "tw_ED")), mac) is None
    assert verifier.verify(_proof(venue.sign(PAYLOAD, "tw_HM")), ed25519) is None
    assert verifier.verify(_proof(bytes(32)), mac) is None


def test_an_hmac_under_the_public_key_does_not_pass(venue: Venue, verifier: Verifier) -> None:
    key = venue.add_ed25519()
    mac = sign_hmac(PAYLOAD, secret=key.public_key)
    assert verifier.verify(_proof(mac), key) is None


def test_not_even_a_signature_of_the_dummy_key_passes(venue: Venue, verifier: Verifier) -> None:
    # The dummy keys are unknown to everyone; knowing them would not help either.
    verifier._dummy_public = ed25519_key().public_key
    verifier._dummy_sealed = venue.sealer.seal(b"dummy", key_id="tw_dummy")
    ed25519 = _proof(venue.sign(PAYLOAD, "tw_ED"))
    mac = _proof(sign_hmac(PAYLOAD, secret=b"dummy"))
    assert verifier.verify(ed25519, None) is None
    assert verifier.verify(ed25519, venue.add_hmac()) is None
    assert verifier.verify(mac, None) is None
    assert verifier.verify(mac, venue.add_ed25519("tw_OTHER")) is None


@pytest.mark.parametrize(
    ("signature", "work"),
    [
        (bytes(64), {"ed25519": 1}),
        (bytes(32), {"hmac": 1, "open": 1}),
    ],
    ids=["ed25519", "hmac"],
)
def test_the_work_depends_on_the_signature_and_never_on_the_key(
    venue: Venue,
    verifier: Verifier,
    monkeypatch: pytest.MonkeyPatch,
    signature: bytes,
    work: dict[str, int],
) -> None:
    done: Counter[str] = Counter()

    def counted(name: str, function: object) -> object:
        def call(*arguments: object, **named: object) -> object:
            done[name] += 1
            assert callable(function)
            return function(*arguments, **named)

        return call

    monkeypatch.setattr(module, "verify_ed25519", counted("ed25519", verify_ed25519))
    monkeypatch.setattr(module, "verify_hmac", counted("hmac", verify_hmac))
    monkeypatch.setattr(Sealer, "open", counted("open", Sealer.open))
    keys: list[ApiKey | None] = [None, venue.add_ed25519(), venue.add_hmac()]
    keys.append(replace(ed25519_key(), revoked_ns=1))
    for key in keys:
        done.clear()
        assert verifier.verify(_proof(signature), key) is None
        assert done == work


def test_a_secret_that_does_not_open_is_our_fault(venue: Venue, verifier: Verifier) -> None:
    key = replace(venue.add_hmac(), sealed_secret=Sealer(b"k" * 32).seal(b"s", key_id="tw_HM"))
    with pytest.raises(SealError):
        verifier.verify(_proof(bytes(32)), key)


def test_a_signature_of_neither_form_is_a_mistake_of_ours(verifier: Verifier) -> None:
    with pytest.raises(AssertionError, match="form is checked"):
        verifier.verify(_proof(b"short"), None)
