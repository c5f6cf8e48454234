"""What callers present as proof of a key, and how it becomes a `verifier.Proof`.

Only the form is looked at here, so a refusal is the same for every key id, known or not:
UNAUTHENTICATED, and what is malformed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tradewire_server.auth.encoding import decode_base64, decode_base64url
from tradewire_server.auth.errors import Reason, Unauthenticated
from tradewire_server.auth.signing import (
    HEADER_KEY,
    HEADER_NONCE,
    HEADER_RECV_WINDOW,
    HEADER_SIGNATURE,
    HEADER_TIMESTAMP,
    KEY_ID_MAX,
    SIGNATURE_TEXT_MAX,
    RequestParts,
    fix_logon_payload,
    is_environment,
    is_nonce,
    parse_decimal,
    parse_sending_time,
    request_payload,
    session_payload,
    signature_nonce,
)
from tradewire_server.auth.verifier import SIGNATURE_BYTES, Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionProof:
    """A signature over a session's string to sign, in base64url; window 0 is the default one."""

    key_id: str
    timestamp_ms: int
    nonce: str
    signature: str
    window_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FixLogonProof:
    """The fields of a FIX Logon(A) as on the wire.

    Username(553), SenderCompID(49), TargetCompID(56), MsgSeqNum(34), SendingTime(52), RawData(96).
    """

    key_id: str
    sender_comp_id: str
    target_comp_id: str
    msg_seq_num: str
    sending_time: str
    raw_data: str
    window_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request with its headers as received; an absent header is the empty text."""

    key_id: str
    timestamp: str
    nonce: str
    signature: str
    method: str
    path: str
    body: bytes
    recv_window: str = ""


class ProofReader:
    """Reads proofs made for one environment."""

    def __init__(self, environment: str, *, default_window_ms: int) -> None:
        if not is_environment(environment):
            raise ValueError(f"{environment!r} is no name of an environment")
        self._environment = environment
        self._default_window_ms = default_window_ms

    def read_session(self, proof: SessionProof) -> Proof:
        _check_key_id(proof.key_id)
        _check_nonce(proof.nonce)
        return Proof(
            key_id=proof.key_id,
            timestamp_ms=proof.timestamp_ms,
            window_ms=self._window(proof.window_ms),
            nonce=proof.nonce,
            payload=session_payload(
                environment=self._environment,
                timestamp_ms=proof.timestamp_ms,
                nonce=proof.nonce,
            ),
            signature=_decode_signature(proof.signature),
        )

    def read_fix_logon(self, proof: FixLogonProof) -> Proof:
        _check_key_id(proof.key_id)
        timestamp_ms = parse_sending_time(proof.sending_time)
        if timestamp_ms is None:
            raise _malformed("SendingTime(52) is not of the form YYYYMMDD-HH:MM:SS.sss")
        payload = fix_logon_payload(
            sender_comp_id=proof.sender_comp_id,
            target_comp_id=proof.target_comp_id,
            msg_seq_num=proof.msg_seq_num,
            sending_time=proof.sending_time,
        )
        if payload is None:
            raise _malformed(
                "SenderCompID(49), TargetCompID(56) and MsgSeqNum(34) have 1 to 64 printable ASCII "
                "characters"
            )
        signature = _decode_raw_data(proof.raw_data)
        return Proof(
            key_id=proof.key_id,
            timestamp_ms=timestamp_ms,
            window_ms=self._window(proof.window_ms),
            nonce=signature_nonce(signature),
            payload=payload,
            signature=signature,
        )

    def read_request(self, request: SignedRequest) -> tuple[Proof, RequestParts]:
        _check_key_id(request.key_id)
        timestamp_ms = parse_decimal(request.timestamp)
        if timestamp_ms is None:
            raise _malformed(f"{HEADER_TIMESTAMP} is not a decimal number of milliseconds")
        _check_nonce(request.nonce)
        window_ms = parse_decimal(request.recv_window or "0")
        if window_ms is None:
            raise _malformed(f"{HEADER_RECV_WINDOW} is not a decimal number of milliseconds")
        parts = RequestParts(
            timestamp_ms=timestamp_ms,
            nonce=request.nonce,
            method=request.method,
            path=request.path,
            body=request.body,
        )
        payload = request_payload(parts, environment=self._environment)
        if payload is None:
            raise _malformed("the method or the path has characters that cannot be signed")
        proof = Proof(
            key_id=request.key_id,
            timestamp_ms=timestamp_ms,
            window_ms=self._window(window_ms),
            nonce=request.nonce,
            payload=payload,
            signature=_decode_signature(request.signature),
        )
        return proof, parts

    def _window(self, window_ms: int) -> int:
        return window_ms or self._default_window_ms


def _check_key_id(key_id: str) -> None:
    if not 1 <= len(key_id) <= KEY_ID_MAX:
        raise _malformed(f"the key id ({HEADER_KEY}, Username(553)) is missing or too long")


def _check_nonce(nonce: str) -> None:
    if not is_nonce(nonce):
        raise _malformed(
            f"the nonce ({HEADER_NONCE}) is not 16 to 64 characters of A-Z a-z 0-9 _ -"
        )


def _decode_signature(text: str) -> bytes:
    signature = decode_base64url(text) if len(text) <= SIGNATURE_TEXT_MAX else None
    if signature is None or len(signature) not in SIGNATURE_BYTES:
        raise _malformed(
            f"the signature ({HEADER_SIGNATURE}) is not base64url (with - and _, padding optional) "
            f"of the 64 bytes of Ed25519 or the 32 bytes of HMAC-SHA256"
        )
    return signature


def _decode_raw_data(text: str) -> bytes:
    signature = decode_base64(text) if len(text) <= SIGNATURE_TEXT_MAX else None
    if signature is None or len(signature) not in SIGNATURE_BYTES:
        raise _malformed(
            "RawData(96) is not standard base64 (with + and /, padded) of the 64 bytes of Ed25519 "
            "or the 32 bytes of HMAC-SHA256"
        )
    return signature


def _malformed(what: str) -> Unauthenticated:
    return Unauthenticated(
        Reason.UNAUTHENTICATED, f"The credential is malformed: {what}. See the signing guide."
    )
