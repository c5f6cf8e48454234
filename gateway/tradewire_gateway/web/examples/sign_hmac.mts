// Signs a request with HMAC-SHA256. Needs Node 20, TRADEWIRE_API_KEY and TRADEWIRE_SECRET.
import { createHash, createHmac, randomBytes } from "node:crypto";

const base = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const environment = process.env.TRADEWIRE_ENVIRONMENT ?? "sandbox";

const path = "/v1/balances";
const timestamp = String(Date.now());
const nonce = randomBytes(24).toString("base64url");
const bodyHash = createHash("sha256").update("").digest("hex");
const toSign = ["TRADEWIRE-V1", environment, timestamp, nonce, "GET", path, bodyHash].join("\n");
// The key is the secret's text as it was shown, `tws_` included.
const signature = createHmac("sha256", process.env.TRADEWIRE_SECRET ?? "")
  .update(toSign)
  .digest("base64url");

const response = await fetch(base + path, {
  headers: {
    "x-api-key": process.env.TRADEWIRE_API_KEY ?? "",
    "x-api-timestamp": timestamp,
    "x-api-nonce": nonce,
    "x-api-signature": signature,
  },
});
const answer = (await response.json()) as any;
if (!response.ok) throw new Error(answer.message);
for (const balance of answer.balances) console.log(balance.asset, balance.available);
