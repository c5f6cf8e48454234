// Checks a signing function against the published vectors. Needs Node 20.
import { strict as assert } from "node:assert";
import { createHash, createHmac, createPrivateKey, sign } from "node:crypto";

const base = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const vectors = (await (await fetch(`${base}/docs/signing.json`)).json()) as any;
const privateKey = createPrivateKey(vectors.ed25519.private_key_pem);

for (const request of vectors.requests) {
  const toSign = [
    "TRADEWIRE-V1",
    request.environment,
    request.timestamp_ms,
    request.nonce,
    request.method,
    request.path,
    createHash("sha256").update(Buffer.from(request.body_base64, "base64")).digest("hex"),
  ].join("\n");
  assert.equal(toSign, request.string_to_sign, request.name);
  const ed25519 = sign(null, Buffer.from(toSign), privateKey).toString("base64url");
  assert.equal(ed25519, request.ed25519_signature, request.name);
  const hmac = createHmac("sha256", vectors.hmac.secret).update(toSign).digest("base64url");
  assert.equal(hmac, request.hmac_signature, request.name);
  console.log("ok:", request.name);
}
