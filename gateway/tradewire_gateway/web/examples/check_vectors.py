"""Checks a signing function against the published vectors. Needs httpx and cryptography."""

import base64
import hashlib
import hmac
import os

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")

vectors = httpx.get(f"{URL}/docs/signing.json").raise_for_status().json()
private_key = load_pem_private_key(vectors["ed25519"]["private_key_pem"].encode(), password=None)
secret = vectors["hmac"]["secret"].encode()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


for request in vectors["requests"]:
    to_sign = "\n".join(
        (
            "TRADEWIRE-V1",
            request["environment"],
            str(request["timestamp_ms"]),
            request["nonce"],
            request["method"],
            request["path"],
            hashlib.sha256(base64.b64decode(request["body_base64"])).hexdigest(),
        )
    )
    assert to_sign == request["string_to_sign"], request["name"]
    payload = to_sign.encode()
    assert base64url(private_key.sign(payload)) == request["ed25519_signature"], request["name"]
    assert base64url(hmac.digest(secret, payload, "sha256")) == request["hmac_signature"]
    print("ok:", request["name"])
