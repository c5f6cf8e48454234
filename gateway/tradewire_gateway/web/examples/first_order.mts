// Places an order, reads it back and cancels it. Needs Node 20 and a token in TRADEWIRE_TOKEN.
import { randomUUID } from "node:crypto";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";

async function call(method: string, path: string, body?: object): Promise<any> {
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${process.env.TRADEWIRE_TOKEN}`,
      ...(body && { "content-type": "application/json" }),
    },
    body: body && JSON.stringify(body),
  });
  const content = (await response.json()) as any;
  if (!response.ok) throw new Error(content.message);
  return content;
}

const clientOrderId = randomUUID();
const placed = await call("POST", "/v1/orders", {
  clientOrderId,
  symbol: "BTC-USD",
  side: "SIDE_BUY",
  type: "ORDER_TYPE_LIMIT",
  quantity: "0.01",
  price: "31000.00",
});
console.log("placed:", placed.order.orderId);

const { order } = await call("GET", `/v1/orders/client/${clientOrderId}`);
console.log(order.status, "leaves", order.leavesQuantity);

const canceled = await call("DELETE", `/v1/orders/client/${clientOrderId}`);
console.log(canceled.order.status, canceled.order.reason);
