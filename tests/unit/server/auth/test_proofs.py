"""The form of what callers present."""

from dataclasses import replace
from typing import Any

import pytest
from tradewire_server.auth.errors import Reason, Unauthenticated
from tradewire_server.auth.proofs import FixLogonProof, ProofReader, SessionProof, SignedRequest
from tradewire_server.auth.verifier import Proof

from tests.unit.server.auth.venue import ENVIRONMENT, NOW_MS, Venue, base64url

READER = ProofReader(ENVIRONMENT, default_window_ms=5_000)
VENUE = Venue()
LOGON = VENUE.fix_logon()
SESSION = VENUE.session_proof(nonce="n" * 16)
REQUEST = VENUE.signed_request()


def _read(proof: object) -> Proof:
    if isinstance(proof, SessionProof):
        return READER.read_session(proof)
    if isinstance(proof, FixLogonProof):
        return READER.read_fix_logon(proof)
    assert isinstance(proof, SignedRequest)
    return READER.read_request(proof)[0]


@pytest.mark.parametrize(
    ("proof", "window_ms"),
    [
        (SESSION, 5_000),
        (replace(SESSION, window_ms=1), 1),
        (replace(SESSION, window_ms=-1), -1),
        (LOGON, 5_000),
        (replace(LOGON, window_ms=60_000), 60_000),
        (REQUEST, 5_000),
        (replace(REQUEST, recv_window="0"), 5_000),
        (replace(REQUEST, recv_window="7"), 7),
    ],
)
def test_no_window_and_zero_are_the_default_one(proof: object, window_ms: int) -> None:
    read = _read(proof)
    assert (read.timestamp_ms, read.window_ms) == (NOW_MS, window_ms)


def test_a_session_proof_is_read() -> None:
    read = _read(SESSION)
    assert read.payload == f"TRADEWIRE-V1\nsandbox\n{NOW_MS}\n{'n' * 16}\nSESSION".encode()
    assert (read.key_id, read.nonce, base64url(read.signature)) == (
        "tw_ED",
        "n" * 16,
        SESSION.signature,
    )


def test_the_nonce_of_a_logon_depends_on_its_signature() -> None:
    other = VENUE.fix_logon("tw_OTHER")
    assert _read(LOGON).nonce == _read(LOGON).nonce
    assert _read(LOGON).nonce != _read(other).nonce


BAD_NONCES = ["", "n" * 15, "n" * 65, "n" * 16 + "\n", "n" * 15 + " "]
BAD_BASE64URL = ["", "A", "A" * 42, "A" * 85, "A" * 86 + "A", "!" * 86, "A" * 5_000]
# RawData(96) must have its padding.
BAD_BASE64 = [*BAD_BASE64URL, "A" * 43, "A" * 86]
MALFORMED: list[tuple[object, dict[str, Any], str]] = [
    *((SESSION, {"nonce": nonce}, "the nonce") for nonce in BAD_NONCES),
    *((REQUEST, {"nonce": nonce}, "the nonce") for nonce in BAD_NONCES),
    *((SESSION, {"signature": text}, "is not base64url") for text in BAD_BASE64URL),
    *((REQUEST, {"signature": text}, "is not base64url") for text in BAD_BASE64URL),
    *((LOGON, {"raw_data": text}, "is not standard base64") for text in BAD_BASE64),
    *((proof, {"key_id": ""}, "the key id") for proof in (SESSION, REQUEST, LOGON)),
    *((proof, {"key_id": "k" * 65}, "the key id") for proof in (SESSION, REQUEST, LOGON)),
    (REQUEST, {"timestamp": ""}, "x-api-timestamp is not a decimal"),
    (REQUEST, {"timestamp": "1.5"}, "x-api-timestamp is not a decimal"),
    (REQUEST, {"timestamp": "0" + REQUEST.timestamp}, "x-api-timestamp is not a decimal"),
    (REQUEST, {"recv_window": "5s"}, "x-api-recv-window is not a decimal"),
    (REQUEST, {"recv_window": "-1"}, "x-api-recv-window is not a decimal"),
    (REQUEST, {"method": "post"}, "the method or the path"),
    (REQUEST, {"path": "/a b"}, "the method or the path"),
    (LOGON, {"sending_time": "now"}, "SendingTime"),
    (LOGON, {"sender_comp_id": "A\x01B"}, "SenderCompID"),
    (LOGON, {"target_comp_id": ""}, "TargetCompID"),
    (LOGON, {"msg_seq_num": "1\x01"}, "MsgSeqNum"),
]


@pytest.mark.parametrize(("proof", "change", "text"), MALFORMED)
def test_what_is_malformed_is_named(proof: Any, change: dict[str, Any], text: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        _read(replace(proof, **change))
    assert refusal.value.reason == Reason.UNAUTHENTICATED
    assert text in refusal.value.message
    assert refusal.value.message.endswith("See the signing guide.")


@pytest.mark.parametrize("environment", ["", "Sandbox", "a\nb", "a" * 33])
def test_an_environment_that_could_change_the_lines_is_refused(environment: str) -> None:
    with pytest.raises(ValueError, match="no name of an environment"):
        ProofReader(environment, default_window_ms=5_000)
