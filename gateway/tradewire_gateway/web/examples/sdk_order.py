"""Places an order with the SDK and cancels it. Needs tradewire-client, and a venue's folder."""

import asyncio

from tradewire_client import Client


async def main() -> None:
    async with Client.from_demo(account="demo-1") as client:
        order = await client.orders.place(
            symbol="BTC-USD", side="buy", type="limit", quantity="0.01", price="31000"
        )
        print(order.order_id, order.status.name)
        order = await client.orders.cancel(order.order_id)
        print(order.order_id, order.status.name)


asyncio.run(main())
