"""Places an order exactly once, whatever gets lost. Needs httpx and a token in TRADEWIRE_TOKEN."""

import os
import random
import time
import uuid

import httpx

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
TOKEN = os.environ["TRADEWIRE_TOKEN"]


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


with httpx.Client(base_url=URL, headers={"authorization": f"Bearer {TOKEN}"}) as venue:
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
