import { Client, OrderStatus } from "tradewire-client";

const client = await Client.fromDemo();

const results = await client.orders.placeMany(
  ["100", "99.50", "99.505"].map((price) => ({
    symbol: "BTC-USD",
    side: "buy" as const,
    type: "limit" as const,
    quantity: "0.1",
    price,
  })),
);
for (const { clientOrderId, order, error } of results) {
  console.log(clientOrderId, order?.orderId ?? error?.message);
}

const working = results.flatMap(({ order }) => (order === undefined ? [] : [order.orderId]));
for (const { order } of await client.orders.cancelMany(working)) {
  console.log(order?.orderId, order && OrderStatus[order.status]);
}
await client.close();
