import { Client, OrderStatus } from "tradewire-client";

const client = await Client.fromDemo({ account: "demo-1" });

let order = await client.orders.place({
  symbol: "BTC-USD",
  side: "buy",
  type: "limit",
  quantity: "0.5",
  price: "100.25",
});
console.log(order.orderId, OrderStatus[order.status], order.leavesQuantity);

order = await client.orders.amend(order.orderId, { price: "100.50" });
console.log("kept its place in the queue:", order.priorityKept);

order = await client.orders.cancel(order.orderId);
console.log(OrderStatus[order.status]);

await client.close();
