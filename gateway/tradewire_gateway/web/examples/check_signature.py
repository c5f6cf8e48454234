"""Asks a sandbox which part of a signed request differs. Needs httpx and cryptography."""

import base64
import hashlib
import os
import secrets
import time
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
KEY_FILE = Path(os.environ.get("TRADEWIRE_KEY_FILE", "tradewire.pem"))

private_key = load_pem_private_key(KEY_FILE.read_bytes(), password=None)
timestamp = str(time.time_ns() // 1_000_000)
nonce = secrets.token_urlsafe(24)
body = b'{"symbol": "BTC-USD"}'
# A mistake to find: the environment is `sandbox`, not `production`.
to_sign = "\n".join(
    (
        "TRADEWIRE-V1",
        "production",
        timestamp,
        nonce,
        "POST",
        "/v1/orders",
        hashlib.sha256(body).hexdigest(),
    )
)
signature = base64.urlsafe_b64encode(private_key.sign(to_sign.encode())).rstrip(b"=").decode()

response = httpx.post(
    f"{URL}/v1/sessions:check",
    json={
        "apiKey": os.environ["TRADEWIRE_API_KEY"],
        "timestamp": timestamp,
        "nonce": nonce,
        "signature": signature,
        "method": "POST",
        "path": "/v1/orders",
        "body": base64.b64encode(body).decode(),
    },
)
answer = response.json()
# A key or a signature that is malformed is refused here as it is everywhere.
if response.is_error:
    raise SystemExit(answer["message"])
print("valid:", answer["valid"])
print("part:", answer["part"])
print("explanation:", answer["explanation"])
print(answer["stringToSign"])
