"""Follows the account's executions over WebSocket without a gap, across disconnects.

Needs websockets, TRADEWIRE_TOKEN. Ends after as many executions as the first argument says;
without one it goes on.
"""

import json
import os
import sys
import time
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080").replace("http", "ws", 1) + "/v1/ws"
HEADERS = {"authorization": f"Bearer {os.environ['TRADEWIRE_TOKEN']}"}
PLACE = Path("executions.place")
# The venue pings every 15 seconds and sends heartbeats: this long without a frame is a dead line.
SILENCE_S = 25


def follow(sequence: int, left: int) -> tuple[int, int]:
    """Print executions until the connection ends; returns the last number, and what is left."""
    with connect(URL, additional_headers=HEADERS) as socket:
        params = {"afterSequence": str(sequence)}
        request = {"jsonrpc": "2.0", "id": 1, "method": "executions.stream", "params": params}
        socket.send(json.dumps(request))
        try:
            while left:
                frame = json.loads(socket.recv(timeout=SILENCE_S))
                if "error" in frame:
                    raise SystemExit(frame["error"]["message"])
                message = frame.get("params", {}).get("message", {})
                for execution in message.get("batch", {}).get("executions", ()):
                    number = int(execution["sequence"])
                    assert number == sequence + 1, "a gap would be a fault of the venue"
                    print(number, execution["type"], execution["order"]["clientOrderId"])
                    sequence, left = number, left - 1
                    PLACE.write_text(str(sequence))
                    if not left:
                        break
                if frame.get("method") in ("subscription.closed", "connection.closing"):
                    print(frame["params"]["status"]["message"], file=sys.stderr)
                    break
        except (ConnectionClosed, TimeoutError) as error:
            print(f"{error!r}: going on after {sequence}", file=sys.stderr)
    return sequence, left


sequence = int(PLACE.read_text()) if PLACE.exists() else 0
left = int(sys.argv[1]) if len(sys.argv) > 1 else -1
while left:
    sequence, left = follow(sequence, left)
    if left:
        time.sleep(1)
