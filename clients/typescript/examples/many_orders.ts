import { Client } from "tradewire-client";

const client = await Client.fromDemo({ calls: "websocket", cancelOnDisconnect: true });

// What is sent together travels together, and reaches the engine in this order.
const orders = await Promise.all(
  Array.from({ length: 50 }, (_, level) =>
    client.orders.place({
      symbol: "BTC-USD",
      side: "buy",
      type: "limit",
      quantity: "0.1",
      price: String(100 - level),
    }),
  ),
);
console.log(orders.length, "orders, the last answer took", client.connection.roundTripMs, "ms");
console.log("left of the rate limit:", client.rateLimit?.remaining);

// The connection ends here, and the venue cancels what it placed.
await client.close();
