// Opens a session and uses its token. Needs Node 20 and TRADEWIRE_API_KEY.
import { createPrivateKey, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const environment = process.env.TRADEWIRE_ENVIRONMENT ?? "sandbox";
const keyFile = process.env.TRADEWIRE_KEY_FILE ?? "tradewire.pem";
const privateKey = createPrivateKey(readFileSync(keyFile));

const timestampMs = String(Date.now());
const nonce = randomBytes(24).toString("base64url");
const toSign = ["TRADEWIRE-V1", environment, timestampMs, nonce, "SESSION"].join("\n");
const signature = sign(null, Buffer.from(toSign), privateKey).toString("base64url");

const response = await fetch(`${url}/v1/sessions`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    signature: { apiKey: process.env.TRADEWIRE_API_KEY, timestampMs, nonce, signature },
  }),
});
const session = (await response.json()) as any;
if (!response.ok) throw new Error(session.message);
console.log("ends:", session.expireTime, "may:", ...session.scopes);

const headers = { authorization: `Bearer ${session.token}` };
const limits = (await (await fetch(`${url}/v1/limits`, { headers })).json()) as any;
console.log("open orders:", limits.openOrderCount, "of", limits.openOrderLimit);
