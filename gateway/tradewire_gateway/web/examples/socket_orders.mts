// Signs in and places, amends and cancels an order over one WebSocket, with the SDK.
// Needs tradewire-client, TRADEWIRE_API_KEY and the key's file.
import { readFileSync } from "node:fs";
import { Client, Ed25519Key, OrderStatus } from "tradewire-client";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const pem = readFileSync(process.env.TRADEWIRE_KEY_FILE ?? "tradewire.pem", "utf8");
const credentials = await Ed25519Key.fromPem(process.env.TRADEWIRE_API_KEY!, pem);

const client = new Client({ url, credentials, calls: "websocket" });
try {
  const placed = await client.orders.place({
    symbol: "BTC-USD",
    side: "buy",
    type: "limit",
    quantity: "0.01", // a text: a number of JavaScript would not be exact
    price: "31000",
  });
  // Nobody has to wait in between: orders reach the venue in the order they are sent.
  const answers = await Promise.all([
    client.orders.amend(placed.orderId, { quantity: "0.02" }),
    client.orders.cancel(placed.orderId),
  ]);
  for (const order of [placed, ...answers]) console.log(order.quantity, OrderStatus[order.status]);
} finally {
  await client.close();
}
