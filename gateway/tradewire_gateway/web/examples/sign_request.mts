// Signs requests with an Ed25519 key. Needs Node 20 and TRADEWIRE_API_KEY.
import { createHash, createPrivateKey, randomBytes, randomUUID, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const base = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const environment = process.env.TRADEWIRE_ENVIRONMENT ?? "sandbox";
const apiKey = process.env.TRADEWIRE_API_KEY ?? "";
const keyFile = process.env.TRADEWIRE_KEY_FILE ?? "tradewire.pem";
const privateKey = createPrivateKey(readFileSync(keyFile));

async function signed(method: string, path: string, content?: object): Promise<any> {
  // URL normalises as fetch does, so what is signed is what is sent.
  const url = new URL(path, base);
  const body = content === undefined ? "" : JSON.stringify(content);
  const timestamp = String(Date.now());
  const nonce = randomBytes(24).toString("base64url");
  const toSign = [
    "TRADEWIRE-V1",
    environment,
    timestamp,
    nonce,
    method,
    url.pathname + url.search,
    createHash("sha256").update(body).digest("hex"),
  ].join("\n");
  const response = await fetch(url, {
    method,
    body: body || undefined,
    headers: {
      ...(body && { "content-type": "application/json" }),
      "x-api-key": apiKey,
      "x-api-timestamp": timestamp,
      "x-api-nonce": nonce,
      "x-api-signature": sign(null, Buffer.from(toSign), privateKey).toString("base64url"),
    },
  });
  const answer = (await response.json()) as any;
  if (!response.ok) throw new Error(answer.message);
  console.log(method, url.pathname, response.status);
  return answer;
}

const clientOrderId = randomUUID();
await signed("POST", "/v1/orders", {
  clientOrderId,
  symbol: "BTC-USD",
  side: "SIDE_BUY",
  type: "ORDER_TYPE_LIMIT",
  quantity: "0.01",
  price: "31000.00",
});
await signed("GET", "/v1/orders?symbol=BTC-USD&pageSize=5");
await signed("DELETE", `/v1/orders/client/${clientOrderId}`);
