"""Places an order exactly once, whatever gets lost.

Needs httpx, cryptography, TRADEWIRE_API_KEY and the key's file.
"""

import base64
import json
import os
import random
import secrets
import time
import uuid
from collections.abc import Generator
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
ENVIRONMENT = os.environ.get("TRADEWIRE_ENVIRONMENT", "sandbox")
API_KEY = os.environ["TRADEWIRE_API_KEY"]
KEY_FILE = Path(os.environ.get("TRADEWIRE_KEY_FILE", "tradewire.pem"))


class Session(httpx.Auth):
    """Signs in, again before the token ends, and again when the venue does not know it any more.

    Tokens end with the process of the venue: after its restart there has to be a new session.
    """

    def __init__(self, api_key: str, pem: bytes) -> None:
        self._api_key = api_key
        self._private_key = load_pem_private_key(pem, password=None)
        self._token = ""
        self._renew_at = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        for _ in range(3):
            if time.monotonic() >= self._renew_at:
                answer = yield self._sign_in()
                if answer.status_code == 401:
                    time.sleep(1)  # a venue takes no signature from its first second
                    continue
                if answer.is_error:
                    return  # and the caller sees why
                self._token = json.loads(answer.read())["token"]
                self._renew_at = time.monotonic() + 14 * 60  # tokens are good for 15 minutes
            request.headers["authorization"] = f"Bearer {self._token}"
            answer = yield request
            if answer.status_code != 401:
                return
            self._renew_at = 0.0

    def _sign_in(self) -> httpx.Request:
        timestamp = str(time.time_ns() // 1_000_000)
        nonce = secrets.token_urlsafe(24)
        to_sign = "\n".join(("TRADEWIRE-V1", ENVIRONMENT, timestamp, nonce, "SESSION"))
        signature = base64.urlsafe_b64encode(self._private_key.sign(to_sign.encode())).rstrip(b"=")
        proof = {
            "apiKey": self._api_key,
            "timestampMs": timestamp,
            "nonce": nonce,
            "signature": signature.decode(),
        }
        return httpx.Request("POST", f"{URL}/v1/sessions", json={"signature": proof})


class NotPlaced(Exception):
    """The order is certainly not in the market."""


class Unknown(Exception):
    """Time is up, and whether the order is in the market has to be asked later."""


def place(venue: httpx.Client, order: dict[str, str], *, give_up_after_s: float = 30) -> dict:
    """Send until there is an answer. A repeat has the same id, so it places no second order."""
    give_up_at = time.monotonic() + give_up_after_s
    wait_s = 0.2
    maybe_placed = False
    while True:
        pause_s = random.uniform(0, wait_s)
        try:
            answer = venue.post("/v1/orders", json=order, timeout=10)
        except httpx.TransportError:
            maybe_placed = True
        else:
            if answer.is_success:
                return answer.json()["order"]
            message, says = answer.json()["message"], answer.json()["details"][0]["metadata"]
            if says["outcome"] == "rejected":
                raise NotPlaced(message)
            # A refusal speaks of this attempt only, not of one whose answer was lost.
            maybe_placed |= says["outcome"] == "unknown"
            if says["retryable"] != "true":
                raise (Unknown if maybe_placed else NotPlaced)(message)
            pause_s = max(pause_s, float(answer.headers.get("retry-after", 0)))
        if time.monotonic() + pause_s > give_up_at:
            raise (Unknown if maybe_placed else NotPlaced)("no time left")
        time.sleep(pause_s)
        wait_s = min(2 * wait_s, 5)


with httpx.Client(base_url=URL, auth=Session(API_KEY, KEY_FILE.read_bytes())) as venue:
    order = {
        # Made once, kept before the first attempt: after a crash it is what to ask with.
        "clientOrderId": uuid.uuid4().hex,
        "symbol": "BTC-USD",
        "side": "SIDE_BUY",
        "type": "ORDER_TYPE_LIMIT",
        "quantity": "0.01",
        "price": "31000.00",
    }
    first = place(venue, order)
    again = place(venue, order)
    print("one order, answered twice:", first["orderId"] == again["orderId"])
    venue.delete(f"/v1/orders/{first['orderId']}").raise_for_status()
