"""The peer of REST: what people write first, FastAPI on uvicorn with one insert into SQLite for
each order, as durable as ours (WAL, synchronous=FULL), and an answer of the same form.
"""

import asyncio
import socket
import sqlite3
import sys
import time
from pathlib import Path
from typing import Literal

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

DECIMAL = r"^[0-9]{1,18}([.][0-9]{1,18})?$"


class PlaceOrderRequest(BaseModel):
    """A limit order, checked as ours is."""

    model_config = ConfigDict(extra="forbid")

    client_order_id: str = Field(alias="clientOrderId", pattern=r"^[A-Za-z0-9_.:-]{1,36}$")
    symbol: str = Field(pattern=r"^[A-Z0-9]{1,12}-[A-Z0-9]{1,12}$")
    side: Literal["SIDE_BUY", "SIDE_SELL"]
    type: Literal["ORDER_TYPE_LIMIT", "ORDER_TYPE_MARKET"]
    quantity: str = Field(pattern=DECIMAL)
    price: str = Field(pattern=DECIMAL)


def application(path: Path) -> FastAPI:
    """Return the application with its database."""
    # Calls take turns on the event loop, which is faster here than threads that wait for the one
    # writer of SQLite.
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE orders (order_id INTEGER PRIMARY KEY, client_order_id TEXT UNIQUE,"
        " symbol TEXT, side TEXT, type TEXT, quantity TEXT, price TEXT, create_time INTEGER)"
    )
    app = FastAPI()

    @app.post("/v1/orders")
    async def place(order: PlaceOrderRequest) -> dict[str, object]:
        now_ns = time.time_ns()
        row = (*order.model_dump().values(), now_ns)
        inserted = database.execute("INSERT INTO orders VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", row)
        return {
            "order": {
                "orderId": str(inserted.lastrowid),
                "clientOrderId": order.client_order_id,
                "originalClientOrderId": "",
                "account": "bench",
                "symbol": order.symbol,
                "side": order.side,
                "type": order.type,
                "timeInForce": "TIME_IN_FORCE_GTC",
                "quantity": order.quantity,
                "price": order.price,
                "postOnly": "POST_ONLY_UNSPECIFIED",
                "selfTradePrevention": "SELF_TRADE_PREVENTION_UNSPECIFIED",
                "status": "ORDER_STATUS_NEW",
                "reason": "REASON_UNSPECIFIED",
                "filledQuantity": "0",
                "leavesQuantity": order.quantity,
                "averagePrice": "0",
                "fee": "0",
                "createTime": str(now_ns),
                "cancelOnDisconnect": False,
            },
            "asOfSequence": str(inserted.lastrowid),
        }

    return app


async def serve(path: Path) -> None:
    """Serve until standard input ends; print the port first."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    config = uvicorn.Config(
        application(path), log_level="warning", access_log=False, http="httptools"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    print(listener.getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(Path(sys.argv[1])))
