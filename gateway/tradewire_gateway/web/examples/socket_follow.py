"""Follows executions over WebSocket without a gap, across disconnects and restarts of the venue.

Needs websockets, cryptography, TRADEWIRE_API_KEY and the key's file. Ends after as many executions
as the first argument says; without one it goes on.
"""

import base64
import json
import os
import secrets
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080").replace("http", "ws", 1) + "/v1/ws"
ENVIRONMENT = os.environ.get("TRADEWIRE_ENVIRONMENT", "sandbox")
KEY_FILE = Path(os.environ.get("TRADEWIRE_KEY_FILE", "tradewire.pem"))
PLACE = Path("executions.place")
# The venue pings every 15 seconds and sends heartbeats: this long without a frame is a dead line.
SILENCE_S = 25
private_key = load_pem_private_key(KEY_FILE.read_bytes(), password=None)


def proof() -> dict[str, str]:
    """Sign a session. Each connection begins its own: tokens end with the process of the venue."""
    timestamp, nonce = str(time.time_ns() // 1_000_000), secrets.token_urlsafe(24)
    to_sign = "\n".join(("TRADEWIRE-V1", ENVIRONMENT, timestamp, nonce, "SESSION"))
    signature = base64.urlsafe_b64encode(private_key.sign(to_sign.encode())).rstrip(b"=").decode()
    api_key = os.environ["TRADEWIRE_API_KEY"]
    return {"apiKey": api_key, "timestampMs": timestamp, "nonce": nonce, "signature": signature}


def ask(socket: ClientConnection, method: str, params: dict) -> None:
    """Send a request and wait for its answer; an error that lasts ends the program."""
    socket.send(json.dumps({"jsonrpc": "2.0", "id": method, "method": method, "params": params}))
    answer = json.loads(socket.recv(timeout=SILENCE_S))
    if "error" not in answer:
        return
    info = answer["error"]["data"]["details"][0]
    # A venue takes no signature from its first second.
    if info["reason"] != "TIMESTAMP_OUT_OF_WINDOW" and info["metadata"]["retryable"] != "true":
        raise SystemExit(answer["error"]["message"])
    raise ConnectionError(answer["error"]["message"])


def follow(left: int) -> int:
    """Print executions until the connection ends; returns how many are left to print.

    The number of the last one is kept with what was done about it.
    """
    sequence = int(PLACE.read_text()) if PLACE.exists() else 0
    try:
        with connect(URL) as socket:
            ask(socket, "session.login", {"signature": proof()})
            ask(socket, "executions.stream", {"afterSequence": str(sequence)})
            while True:
                frame = json.loads(socket.recv(timeout=SILENCE_S))
                params = frame.get("params", {})
                batch = params.get("message", {}).get("batch", {})
                for execution in batch.get("executions", ()):
                    number = int(execution["sequence"])
                    assert number == sequence + 1, "a gap would be a fault of the venue"
                    print(number, execution["type"], execution["order"]["clientOrderId"])
                    sequence, left = number, left - 1
                    PLACE.write_text(str(sequence))
                    if not left:
                        return left
                if frame.get("method") in ("subscription.closed", "connection.closing"):
                    status = params.get("status", {"message": "the stream has ended"})
                    raise ConnectionError(status["message"])
    # Not there, ended, silent; all of it is tried again.
    except (OSError, WebSocketException) as error:
        print(f"{error!r}: going on after {sequence}", file=sys.stderr)
    return left


left = int(sys.argv[1]) if len(sys.argv) > 1 else -1
while left := follow(left):
    time.sleep(1)
