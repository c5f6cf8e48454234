"""The published signing vectors, as HTTP requests: each is accepted as it stands, once."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.rpc import status_pb2
from tradewire_server.api.rest.check import RequestCheck
from tradewire_server.api.rest.request import Answer, RawRequest
from tradewire_server.auth.authenticator import Authenticator
from tradewire_server.auth.encoding import decode_base64url
from tradewire_server.auth.handles import HandleTable
from tradewire_server.auth.limit_policy import LimitPolicy
from tradewire_server.auth.limits import Limiter

from tests.support.failures import failure_of
from tests.unit.server.auth.venue import Venue, ed25519_key

VECTORS = json.loads(
    (Path(__file__).resolve().parents[4] / "vectors" / "signing.json").read_bytes()
)
IS_NO_TEXT = "a body that is no text"


def check_of(vector: dict[str, Any]) -> RequestCheck:
    """Return a check in the vector's environment and at its time, which knows its keys."""
    venue = Venue()
    public_key = decode_base64url(VECTORS["ed25519"]["public_key_base64url"])
    assert public_key is not None
    key = replace(ed25519_key("tw_ED"), public_key=public_key)
    venue.keys.add(key)
    secret = VECTORS["hmac"]["secret"].encode()
    sealed = venue.sealer.seal(secret, key_id="tw_HM")
    venue.keys.add(
        replace(key, key_id="tw_HM", algorithm="hmac-sha256", public_key=b"", sealed_secret=sealed)
    )
    limits = LimitPolicy()
    return RequestCheck(
        Authenticator(
            environment=vector["environment"],
            keys=venue.keys,
            sealer=venue.sealer,
            tokens=venue.tokens,
            replay=venue.replay,
            throttle=venue.throttle,
        ),
        Limiter(limits),
        HandleTable(),
        clock_ns=lambda: int(vector["timestamp_ms"]) * 10**6,
        measure=lambda method, code, seconds: None,
    )


def request(vector: dict[str, Any], key_id: str, signature: str) -> RawRequest:
    headers = (
        ("x-api-key", key_id),
        ("x-api-timestamp", str(vector["timestamp_ms"])),
        ("x-api-nonce", vector["nonce"]),
        ("x-api-signature", signature),
    )
    body = base64.b64decode(vector["body_base64"])
    return RawRequest(vector["method"], vector["path"], headers, body)


def reason(answer: Answer) -> str:
    return failure_of(json_format.Parse(answer.body, status_pb2.Status())).reason


@pytest.mark.parametrize("algorithm", ["ed25519", "hmac"])
@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["name"])
def test_a_vector_is_accepted_once_and_as_it_stands(vector: dict[str, Any], algorithm: str) -> None:
    check = check_of(vector)
    key_id = "tw_ED" if algorithm == "ed25519" else "tw_HM"
    signature = vector[f"{algorithm}_signature"]
    good = request(vector, key_id, signature)
    if vector["name"] == IS_NO_TEXT:
        # It shows how bytes are signed; no method takes it.
        assert reason(check.decide(good)) == "MESSAGE_MALFORMED"
        return
    other_key = request(vector, "tw_HM" if key_id == "tw_ED" else "tw_ED", signature)
    assert reason(check.decide(other_key)) == "SIGNATURE_INVALID"
    assert check.decide(good).status == 200
    assert reason(check.decide(good)) == "NONCE_REUSED"


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["name"])
def test_a_vector_is_of_one_environment(vector: dict[str, Any]) -> None:
    if vector["name"] == IS_NO_TEXT:
        return
    check = check_of({**vector, "environment": "staging"})
    answer = check.decide(request(vector, "tw_ED", vector["ed25519_signature"]))
    assert reason(answer) == "SIGNATURE_INVALID"
