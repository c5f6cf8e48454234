"""The REST client of the tests signs as the vectors say: it is nobody's code but its own."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.rest import SignedRequests, SigningKey, hmac_signer, signed_headers

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "signing.json").read_text())
KEYS = {
    "ed25519_signature": SigningKey(
        "tw_1",
        Ed25519PrivateKey.from_private_bytes(
            bytes.fromhex(VECTORS["ed25519"]["private_key_hex"])
        ).sign,
    ),
    "hmac_signature": SigningKey("tw_2", hmac_signer(VECTORS["hmac"]["secret"])),
}


@pytest.mark.parametrize("field", KEYS)
@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["name"])
def test_requests_are_signed_as_the_vectors_say(vector: dict[str, Any], field: str) -> None:
    headers = signed_headers(
        KEYS[field],
        vector["method"],
        vector["path"],
        base64.b64decode(vector["body_base64"]),
        environment=vector["environment"],
        timestamp_ms=vector["timestamp_ms"],
        nonce=vector["nonce"],
    )
    assert headers == {
        "x-api-key": KEYS[field].key_id,
        "x-api-timestamp": str(vector["timestamp_ms"]),
        "x-api-nonce": vector["nonce"],
        "x-api-signature": vector[field],
    }


def test_what_is_signed_is_what_is_sent() -> None:
    signed: list[bytes] = []

    def sign(payload: bytes) -> bytes:
        signed.append(payload)
        return bytes(64)

    def receive(request: httpx.Request) -> httpx.Response:
        assert request.headers["x-api-signature"] == "A" * 86
        return httpx.Response(200)

    auth = SignedRequests(SigningKey("tw_1", sign), clock_ns=lambda: 5_000_000)
    with httpx.Client(transport=httpx.MockTransport(receive), auth=auth) as client:
        client.post("http://venue/v1/orders?a=b%3Ac", content=b"{ }")
    (payload,) = signed
    lines = payload.decode().split("\n")
    assert (lines[:3], lines[4:6]) == (
        ["TRADEWIRE-V1", "sandbox", "5"],
        ["POST", "/v1/orders?a=b%3Ac"],
    )
    assert lines[6] == "257c1be96ae69f4b01c2c69bdb6d78605f59175819fb007d0bf245bf48444c4a"
