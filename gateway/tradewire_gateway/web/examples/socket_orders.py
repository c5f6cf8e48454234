"""Signs in and places, amends and cancels an order over one WebSocket.

Needs websockets, cryptography, TRADEWIRE_API_KEY and the key's file.
"""

import base64
import itertools
import json
import os
import secrets
import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from websockets.sync.client import ClientConnection, connect

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
ENVIRONMENT = os.environ.get("TRADEWIRE_ENVIRONMENT", "sandbox")
KEY_FILE = Path(os.environ.get("TRADEWIRE_KEY_FILE", "tradewire.pem"))

numbers = itertools.count(1)


def ask(socket: ClientConnection, method: str, params: dict) -> int:
    """Send a request; its answer will have the number."""
    number = next(numbers)
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    socket.send(json.dumps(request))
    return number


def answers(socket: ClientConnection, *asked: int) -> list[dict]:
    """Return the results in the order of the requests; answers come in any order."""
    found: dict[int, dict] = {}
    while len(found) < len(asked):
        frame = json.loads(socket.recv(timeout=30))
        if "error" in frame:
            raise SystemExit(frame["error"]["message"])
        if "id" in frame:  # else it is a notification
            found[frame["id"]] = frame["result"]
    return [found[number] for number in asked]


def proof() -> dict:
    """Return a signature over the moment."""
    private_key = load_pem_private_key(KEY_FILE.read_bytes(), password=None)
    timestamp = str(time.time_ns() // 1_000_000)
    nonce = secrets.token_urlsafe(24)
    to_sign = "\n".join(("TRADEWIRE-V1", ENVIRONMENT, timestamp, nonce, "SESSION"))
    signature = base64.urlsafe_b64encode(private_key.sign(to_sign.encode())).rstrip(b"=").decode()
    api_key = os.environ["TRADEWIRE_API_KEY"]
    return {"apiKey": api_key, "timestampMs": timestamp, "nonce": nonce, "signature": signature}


with connect(URL.replace("http", "ws", 1) + "/v1/ws") as socket:
    (session,) = answers(socket, ask(socket, "session.login", {"signature": proof()}))
    print("signed in, may:", *session["scopes"])
    # Nobody has to wait for the first answer: orders reach the venue in the order they are sent.
    first, second = f"ws-{secrets.token_hex(8)}", f"ws-{secrets.token_hex(8)}"
    order = {
        "clientOrderId": first,
        "symbol": "BTC-USD",
        "side": "SIDE_BUY",
        "type": "ORDER_TYPE_LIMIT",
        "quantity": "0.01",
        "price": "31000",
    }
    amend = {"clientOrderId": second, "originalClientOrderId": first, "quantity": "0.02"}
    for result in answers(
        socket,
        ask(socket, "orders.place", order),
        ask(socket, "orders.amend", amend),
        ask(socket, "orders.cancel", {"originalClientOrderId": second}),
    ):
        print(result["order"]["quantity"], result["order"]["status"])
