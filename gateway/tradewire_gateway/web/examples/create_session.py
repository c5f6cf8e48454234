"""Opens a session and uses its token. Needs httpx, cryptography and TRADEWIRE_API_KEY."""

import base64
import os
import secrets
import time
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
ENVIRONMENT = os.environ.get("TRADEWIRE_ENVIRONMENT", "sandbox")
KEY_FILE = Path(os.environ.get("TRADEWIRE_KEY_FILE", "tradewire.pem"))

private_key = load_pem_private_key(KEY_FILE.read_bytes(), password=None)
timestamp = str(time.time_ns() // 1_000_000)
nonce = secrets.token_urlsafe(24)
to_sign = "\n".join(("TRADEWIRE-V1", ENVIRONMENT, timestamp, nonce, "SESSION"))
signature = base64.urlsafe_b64encode(private_key.sign(to_sign.encode())).rstrip(b"=").decode()

answer = httpx.post(
    f"{URL}/v1/sessions",
    json={
        "signature": {
            "apiKey": os.environ["TRADEWIRE_API_KEY"],
            "timestampMs": timestamp,
            "nonce": nonce,
            "signature": signature,
        }
    },
)
if answer.is_error:
    raise SystemExit(answer.json()["message"])
session = answer.json()
print("ends:", session["expireTime"], "may:", *session["scopes"])

headers = {"authorization": f"Bearer {session['token']}"}
limits = httpx.get(f"{URL}/v1/limits", headers=headers).raise_for_status().json()
print("open orders:", limits["openOrderCount"], "of", limits["openOrderLimit"])
