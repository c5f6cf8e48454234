// Places an order exactly once, whatever gets lost. Needs Node 20 and a token in TRADEWIRE_TOKEN.
import { randomUUID } from "node:crypto";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const headers = {
  authorization: `Bearer ${process.env.TRADEWIRE_TOKEN}`,
  "content-type": "application/json",
};

/** The order is certainly not in the market. */
class NotPlaced extends Error {}
/** Time is up, and whether the order is in the market has to be asked later. */
class Unknown extends Error {}

/** Sends until there is an answer. A repeat has the same id, so it never places a second order. */
async function place(order: { clientOrderId: string }, giveUpAfterMs = 30_000): Promise<any> {
  const giveUpAt = performance.now() + giveUpAfterMs;
  let maybePlaced = false;
  for (let waitMs = 200; ; waitMs = Math.min(2 * waitMs, 5_000)) {
    let pauseMs = Math.random() * waitMs;
    const response = await fetch(`${url}/v1/orders`, {
      method: "POST",
      headers,
      body: JSON.stringify(order),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined);
    const answer = (await response?.json().catch(() => undefined)) as any;
    if (!response || !answer) {
      maybePlaced = true;
    } else if (response.ok) {
      return answer.order;
    } else {
      const { outcome, retryable } = answer.details[0].metadata;
      if (outcome === "rejected") throw new NotPlaced(answer.message);
      // A refusal speaks of this attempt only, not of one whose answer was lost.
      maybePlaced ||= outcome === "unknown";
      if (retryable !== "true") throw new (maybePlaced ? Unknown : NotPlaced)(answer.message);
      pauseMs = Math.max(pauseMs, 1000 * Number(response.headers.get("retry-after") ?? 0));
    }
    if (performance.now() + pauseMs > giveUpAt) {
      throw new (maybePlaced ? Unknown : NotPlaced)("no time left");
    }
    await new Promise((resume) => setTimeout(resume, pauseMs));
  }
}

const order = {
  // Made once, kept before the first attempt: after a crash it is what to ask with.
  clientOrderId: randomUUID(),
  symbol: "BTC-USD",
  side: "SIDE_BUY",
  type: "ORDER_TYPE_LIMIT",
  quantity: "0.01",
  price: "31000.00",
};
const first = await place(order);
const again = await place(order);
console.log("one order, answered twice:", first.orderId === again.orderId);
await fetch(`${url}/v1/orders/${first.orderId}`, {
  method: "DELETE",
  headers: { authorization: headers.authorization },
});
