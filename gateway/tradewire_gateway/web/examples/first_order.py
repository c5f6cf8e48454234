"""Places an order, reads it back and cancels it. Needs httpx and a token in TRADEWIRE_TOKEN."""

import os
import uuid

import httpx

URL = os.environ.get("TRADEWIRE_URL", "http://127.0.0.1:8080")
TOKEN = os.environ["TRADEWIRE_TOKEN"]

with httpx.Client(base_url=URL, headers={"authorization": f"Bearer {TOKEN}"}) as venue:
    client_order_id = uuid.uuid4().hex
    answer = venue.post(
        "/v1/orders",
        json={
            "clientOrderId": client_order_id,
            "symbol": "BTC-USD",
            "side": "SIDE_BUY",
            "type": "ORDER_TYPE_LIMIT",
            "quantity": "0.01",
            "price": "31000.00",
        },
    )
    if answer.is_error:
        raise SystemExit(answer.json()["message"])
    print("placed:", answer.json()["order"]["orderId"])

    order = venue.get(f"/v1/orders/client/{client_order_id}").json()["order"]
    print(order["status"], "leaves", order["leavesQuantity"])

    order = venue.delete(f"/v1/orders/client/{client_order_id}").json()["order"]
    print(order["status"], order["reason"])
