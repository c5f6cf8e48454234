/** The published vectors: what this client signs is what every other client signs. */

import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import {
  Ed25519Key,
  HmacKey,
  keyFromEntry,
  requestStringToSign,
  sessionStringToSign,
  signature,
  signRequest,
} from "../src/index.js";

interface Stamped {
  readonly name: string;
  readonly environment: string;
  readonly timestamp_ms: number;
  readonly nonce: string;
  readonly string_to_sign: string;
  readonly ed25519_signature: string;
  readonly hmac_signature: string;
}

interface Vectors {
  readonly ed25519: { readonly private_key_hex: string; readonly private_key_pem: string };
  readonly hmac: { readonly secret: string };
  readonly requests: readonly (Stamped & {
    readonly method: string;
    readonly path: string;
    readonly body_base64: string;
  })[];
  readonly sessions: readonly Stamped[];
}

const file = new URL("../../../tests/vectors/signing.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;
const seed = Uint8Array.from(Buffer.from(vectors.ed25519.private_key_hex, "hex"));
const ed25519 = await Ed25519Key.fromSeed("key", seed);
const hmac = await HmacKey.fromSecret("key", vectors.hmac.secret);

function stampOf(vector: Stamped): { environment: string; timestampMs: number; nonce: string } {
  const { environment, timestamp_ms: timestampMs, nonce } = vector;
  return { environment, timestampMs, nonce };
}

test("there are vectors", () => {
  expect(vectors.requests.length).toBeGreaterThan(3);
  expect(vectors.sessions.length).toBeGreaterThan(0);
});

describe.each(vectors.requests)("request: $name", (vector) => {
  const request = {
    method: vector.method,
    path: vector.path,
    body: Uint8Array.from(Buffer.from(vector.body_base64, "base64")),
  };

  test("string to sign", async () => {
    expect(await requestStringToSign(stampOf(vector), request)).toBe(vector.string_to_sign);
  });

  test.each([
    ["ed25519", ed25519, vector.ed25519_signature],
    ["hmac", hmac, vector.hmac_signature],
  ] as const)("%s", async (_, key, expected) => {
    expect(await signRequest(key, stampOf(vector), request)).toEqual({
      "x-api-key": "key",
      "x-api-timestamp": String(vector.timestamp_ms),
      "x-api-nonce": vector.nonce,
      "x-api-signature": expected,
    });
  });
});

describe.each(vectors.sessions)("session: $name", (vector) => {
  test("string to sign, and both signatures", async () => {
    expect(sessionStringToSign(stampOf(vector))).toBe(vector.string_to_sign);
    expect(await signature(ed25519, vector.string_to_sign)).toBe(vector.ed25519_signature);
    expect(await signature(hmac, vector.string_to_sign)).toBe(vector.hmac_signature);
  });
});

test("a body as text is signed as its bytes", async () => {
  const vector = vectors.requests.find((each) => each.body_base64 !== "");
  const body = Buffer.from(vector?.body_base64 ?? "", "base64").toString("utf8");
  const { method = "", path = "" } = vector ?? {};
  const stamp = stampOf(vector as Stamped);
  expect(await requestStringToSign(stamp, { method, path, body })).toBe(vector?.string_to_sign);
});

describe("keys", () => {
  const [vector] = vectors.sessions;
  const text = vector?.string_to_sign ?? "";

  test("every form of the private key is the same key", async () => {
    const forms = [
      await Ed25519Key.fromPem("key", vectors.ed25519.private_key_pem),
      await Ed25519Key.fromSeed("key", Buffer.from(seed).toString("base64url")),
      await keyFromEntry({ api_key: "key", private_key: Buffer.from(seed).toString("base64") }),
    ];
    for (const key of forms) {
      expect(await signature(key, text)).toBe(vector?.ed25519_signature);
    }
    const secret = { api_key: "key", algorithm: "hmac-sha256", secret: vectors.hmac.secret };
    expect(await signature(await keyFromEntry(secret), text)).toBe(vector?.hmac_signature);
  });

  test("what is made here can be registered and signs", async () => {
    const { key, publicKey } = await Ed25519Key.generate();
    const raw = Buffer.from(publicKey, "base64url");
    const imported = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    const named = key.withApiKey("id");
    expect(named.apiKey).toBe("id");
    const payload = new TextEncoder().encode(text);
    const signed = Uint8Array.from(await named.sign(payload));
    expect(await crypto.subtle.verify("Ed25519", imported, signed, payload)).toBe(true);
  });

  test.each([
    ["31 bytes", () => Ed25519Key.fromSeed("key", new Uint8Array(31))],
    ["no base64", () => Ed25519Key.fromSeed("key", "§")],
    ["a public key", () => Ed25519Key.fromPem("key", "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----")],
    ["no PKCS#8", () => Ed25519Key.fromPkcs8("key", new Uint8Array(48))],
    ["an empty secret", () => HmacKey.fromSecret("key", "")],
    ["an entry without its half", () => keyFromEntry({ api_key: "key" })],
    ["an unknown algorithm", () => keyFromEntry({ api_key: "key", algorithm: "rsa", secret: "x" })],
  ])("%s is refused in words", async (_, make) => {
    await expect(make()).rejects.toMatchObject({ name: "ConfigurationError" });
  });

  test("the private half cannot be taken out again", async () => {
    const inner = (ed25519 as unknown as { privateKey: CryptoKey }).privateKey;
    expect(inner.extractable).toBe(false);
    await expect(crypto.subtle.exportKey("pkcs8", inner)).rejects.toThrow();
    expect(JSON.stringify(ed25519)).not.toContain(Buffer.from(seed).toString("base64url"));
  });
});
