"""Follows the account's executions without a gap, across disconnects. Needs httpx and a token.

Ends after as many executions as the first argument says; without one it goes on.
"""

import json
import os
import sys
import time
from pathlib import Path

import httpx

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
TOKEN = os.environ["TRADEWIRE_TOKEN"]
# Heartbeats come at least every 10 seconds: twice that without a byte is a dead connection.
SILENCE = httpx.Timeout(10, read=25)
PLACE = Path("executions.place")


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


with httpx.Client(
    base_url=URL, headers={"authorization": f"Bearer {TOKEN}"}, timeout=SILENCE
) as venue:
    follow(venue, int(sys.argv[1]) if len(sys.argv) > 1 else -1)
