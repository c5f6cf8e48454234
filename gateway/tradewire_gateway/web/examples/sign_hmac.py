"""Signs a request with HMAC-SHA256. Needs httpx, TRADEWIRE_API_KEY and TRADEWIRE_SECRET."""

import base64
import hashlib
import hmac
import os
import secrets
import time

import httpx

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
ENVIRONMENT = os.environ.get("TRADEWIRE_ENVIRONMENT", "sandbox")
SECRET = os.environ["TRADEWIRE_SECRET"]

path = "/v1/balances"
timestamp = str(time.time_ns() // 1_000_000)
nonce = secrets.token_urlsafe(24)
body_hash = hashlib.sha256(b"").hexdigest()
to_sign = "\n".join(("TRADEWIRE-V1", ENVIRONMENT, timestamp, nonce, "GET", path, body_hash))
# The key is the secret's text as it was shown, `tws_` included.
signature = hmac.digest(SECRET.encode("ascii"), to_sign.encode("ascii"), "sha256")

answer = httpx.get(
    URL + path,
    headers={
        "x-api-key": os.environ["TRADEWIRE_API_KEY"],
        "x-api-timestamp": timestamp,
        "x-api-nonce": nonce,
        "x-api-signature": base64.urlsafe_b64encode(signature).rstrip(b"=").decode("ascii"),
    },
)
if answer.is_error:
    raise SystemExit(answer.json()["message"])
for balance in answer.json()["balances"]:
    print(balance["asset"], balance["available"])
