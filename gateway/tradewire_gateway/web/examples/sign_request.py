"""Signs requests with an Ed25519 key. Needs httpx, cryptography and TRADEWIRE_API_KEY."""

import base64
import hashlib
import os
import secrets
import time
import uuid
from collections.abc import Generator
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
ENVIRONMENT = os.environ.get("TRADEWIRE_ENVIRONMENT", "sandbox")
KEY_FILE = Path(os.environ.get("TRADEWIRE_KEY_FILE", "tradewire.pem"))


class Signature(httpx.Auth):
    """Signs each request as it goes out, so that what is signed is what is sent."""

    requires_request_body = True

    def __init__(self, api_key: str, pem: bytes) -> None:
        self._api_key = api_key
        self._private_key = load_pem_private_key(pem, password=None)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        timestamp = str(time.time_ns() // 1_000_000)
        nonce = secrets.token_urlsafe(24)
        to_sign = "\n".join(
            (
                "TRADEWIRE-V1",
                ENVIRONMENT,
                timestamp,
                nonce,
                request.method,
                request.url.raw_path.decode("ascii"),  # with the query, as it is sent
                hashlib.sha256(request.content).hexdigest(),
            )
        )
        signature = self._private_key.sign(to_sign.encode("ascii"))
        request.headers["x-api-key"] = self._api_key
        request.headers["x-api-timestamp"] = timestamp
        request.headers["x-api-nonce"] = nonce
        request.headers["x-api-signature"] = (
            base64.urlsafe_b64encode(signature).rstrip(b"=").decode("ascii")
        )
        yield request


auth = Signature(os.environ["TRADEWIRE_API_KEY"], KEY_FILE.read_bytes())
with httpx.Client(base_url=URL, auth=auth) as venue:
    client_order_id = uuid.uuid4().hex
    order = {
        "clientOrderId": client_order_id,
        "symbol": "BTC-USD",
        "side": "SIDE_BUY",
        "type": "ORDER_TYPE_LIMIT",
        "quantity": "0.01",
        "price": "31000.00",
    }
    for answer in (
        venue.post("/v1/orders", json=order),
        venue.get("/v1/orders", params={"symbol": "BTC-USD", "pageSize": 5}),
        venue.delete(f"/v1/orders/client/{client_order_id}"),
    ):
        if answer.is_error:
            raise SystemExit(answer.json()["message"])
        print(answer.request.method, answer.request.url.path, answer.status_code)
