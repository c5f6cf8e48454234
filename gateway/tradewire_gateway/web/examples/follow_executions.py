"""Follows the account's executions without a gap, across disconnects and restarts of the venue.

Needs httpx, cryptography, TRADEWIRE_API_KEY and the key's file. Ends after as many executions as
the first argument says; without one it goes on.
"""

import base64
import json
import os
import secrets
import sys
import time
from collections.abc import Generator
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
ENVIRONMENT = os.environ.get("TRADEWIRE_ENVIRONMENT", "sandbox")
API_KEY = os.environ["TRADEWIRE_API_KEY"]
KEY_FILE = Path(os.environ.get("TRADEWIRE_KEY_FILE", "tradewire.pem"))
# Heartbeats come at least every 10 seconds: twice that without a byte is a dead connection.
SILENCE = httpx.Timeout(10, read=25)
PLACE = Path("executions.place")


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


def follow(venue: httpx.Client, left: int) -> None:
    """Print executions; the number of the last one is kept with what was done about it."""
    sequence = int(PLACE.read_text()) if PLACE.exists() else 0
    while True:
        try:
            query = {"afterSequence": sequence}
            with venue.stream("GET", "/v1/executions:stream", params=query) as stream:
                if stream.is_error:
                    stream.read()
                    error = stream.json()
                    if error["details"][0]["metadata"]["retryable"] != "true":
                        raise SystemExit(error["message"])
                    print(error["message"], file=sys.stderr)
                for line in stream.iter_lines():
                    if not line.startswith("data:"):
                        continue
                    event = json.loads(line[5:])
                    for execution in event.get("batch", {}).get("executions", ()):
                        number = int(execution["sequence"])
                        assert number == sequence + 1, "a gap would be a fault of the venue"
                        print(number, execution["type"], execution["order"]["clientOrderId"])
                        sequence = number
                        PLACE.write_text(str(sequence))
                        left -= 1
                        if left == 0:
                            return
                    if "closing" in event:
                        print(event["closing"]["status"]["message"], file=sys.stderr)
        except httpx.TransportError as error:
            print(f"{error!r}: going on after {sequence}", file=sys.stderr)
        time.sleep(1)


session = Session(API_KEY, KEY_FILE.read_bytes())
with httpx.Client(base_url=URL, auth=session, timeout=SILENCE) as venue:
    follow(venue, int(sys.argv[1]) if len(sys.argv) > 1 else -1)
