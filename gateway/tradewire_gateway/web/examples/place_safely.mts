// Places an order exactly once, whatever gets lost. Needs Node 20, TRADEWIRE_API_KEY and the key's
// file.
import { createPrivateKey, randomBytes, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const environment = process.env.TRADEWIRE_ENVIRONMENT ?? "sandbox";
const keyFile = process.env.TRADEWIRE_KEY_FILE ?? "tradewire.pem";
const privateKey = createPrivateKey(readFileSync(keyFile));

let token = "";
let renewAt = 0;

/**
 * Sends with a token that is renewed before it ends, and when the venue does not know it any more:
 * tokens end with the process of the venue, so after its restart there has to be a new session.
 */
async function send(path: string, request: RequestInit): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    if (performance.now() >= renewAt) {
      const answer = await signIn(request.signal);
      if (answer.status === 401 && attempt < 3) {
        await new Promise((resume) => setTimeout(resume, 1_000));
        continue; // a venue takes no signature from its first second
      }
      if (!answer.ok) return answer; // and the caller sees why
      token = ((await answer.json()) as any).token;
      renewAt = performance.now() + 14 * 60_000; // tokens are good for 15 minutes
    }
    const headers = { ...request.headers, authorization: `Bearer ${token}` };
    const response = await fetch(url + path, { ...request, headers });
    if (response.status !== 401 || attempt === 3) return response;
    renewAt = 0;
  }
}

async function signIn(signal?: AbortSignal | null): Promise<Response> {
  const timestampMs = String(Date.now());
  const nonce = randomBytes(24).toString("base64url");
  const toSign = ["TRADEWIRE-V1", environment, timestampMs, nonce, "SESSION"].join("\n");
  const signature = sign(null, Buffer.from(toSign), privateKey).toString("base64url");
  return fetch(`${url}/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      signature: { apiKey: process.env.TRADEWIRE_API_KEY, timestampMs, nonce, signature },
    }),
    signal,
  });
}

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
    const response = await send("/v1/orders", {
      method: "POST",
      headers: { "content-type": "application/json" },
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
await send(`/v1/orders/${first.orderId}`, { method: "DELETE" });
