/**
 * Keys, and the strings that they sign.
 *
 * A session is opened by a signature over five lines, a REST request carries one over seven, with no
 * line feed at the end:
 *
 *     TRADEWIRE-V1
 *     <environment>       keeps a sandbox signature from working in production
 *     <timestamp>         milliseconds since the epoch, by the venue's clock
 *     <nonce>             16 to 64 of A-Z a-z 0-9 _ -, never used before
 *     SESSION             or: METHOD, path with query, SHA-256 of the body in hexadecimal
 *
 * Ed25519 is the one to use: the venue knows the public half only. An HMAC secret is the text as it
 * was shown, prefix included, and both sides hold it. Signatures are base64url without padding.
 *
 * Keys are `CryptoKey`s that cannot be exported again, in memory only: nothing here stores one.
 */

import { ConfigurationError } from "./errors.js";
import { base64url } from "./world.js";

const PREAMBLE = "TRADEWIRE-V1";
const SESSION = "SESSION";
const SEED_BYTES = 32;
// What stands before the 32 bytes in PKCS#8, RFC 8410.
const PKCS8_PREFIX = Uint8Array.of(
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
);
const PEM = /-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----/;

/** What signs: an id that the venue knows, and a way to sign. A hardware key fits as well. */
export interface Key {
  readonly apiKey: string;
  sign(payload: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

/** What is part of every signature. */
export interface Stamp {
  readonly environment: string;
  readonly timestampMs: number | bigint;
  readonly nonce: string;
}

/** A REST request as it is sent; `path` with its query, `body` exactly these bytes. */
export interface RequestToSign {
  readonly method: string;
  readonly path: string;
  readonly body?: Uint8Array<ArrayBuffer> | string | undefined;
}

/** An entry of a key file, as `tradewire keys create` and `tradewire up` write it. */
export interface KeyEntry {
  readonly api_key: string;
  readonly algorithm?: string;
  readonly private_key?: string;
  readonly secret?: string;
}

/** The private half of an Ed25519 pair, and the id under which the venue knows the public one. */
export class Ed25519Key implements Key {
  private constructor(
    readonly apiKey: string,
    private readonly privateKey: CryptoKey,
  ) {}

  /**
   * Make a new pair that never leaves this process; register `publicKey` with `keys.create`, then
   * use `withApiKey`.
   */
  static async generate(): Promise<{ readonly key: Ed25519Key; readonly publicKey: string }> {
    const pair = (await crypto.subtle.generateKey("Ed25519", false, [
      "sign",
      "verify",
    ]));
    const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
    return { key: new Ed25519Key("", pair.privateKey), publicKey: base64url(new Uint8Array(raw)) };
  }

  /**
   * Take the 32 bytes of a private key, as bytes or base64url.
   *
   * @throws ConfigurationError if there are not 32 of them.
   */
  static async fromSeed(apiKey: string, seed: Uint8Array | string): Promise<Ed25519Key> {
    const bytes = typeof seed === "string" ? fromBase64(seed) : seed;
    if (bytes.length !== SEED_BYTES) {
      throw new ConfigurationError(
        `an Ed25519 private key has ${String(SEED_BYTES)} bytes, this has ${String(bytes.length)}`,
      );
    }
    return Ed25519Key.fromPkcs8(apiKey, Uint8Array.of(...PKCS8_PREFIX, ...bytes));
  }

  /**
   * Take a private key in PKCS#8.
   *
   * @throws ConfigurationError if it is no such key, or this platform has no Ed25519.
   */
  static async fromPkcs8(apiKey: string, pkcs8: Uint8Array<ArrayBuffer>): Promise<Ed25519Key> {
    try {
      const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
      return new Ed25519Key(apiKey, key);
    } catch (cause) {
      throw new ConfigurationError(
        "the private key cannot be read as Ed25519 in PKCS#8 " +
          "(Node 20, Chrome 137, Firefox 129 and Safari 17 or newer have Ed25519)",
        { cause },
      );
    }
  }

  /**
   * Take a PEM file, as `openssl genpkey -algorithm ed25519` writes it.
   *
   * @throws ConfigurationError if it holds no such key.
   */
  static async fromPem(apiKey: string, pem: string): Promise<Ed25519Key> {
    const body = PEM.exec(pem)?.[1];
    if (body === undefined) {
      throw new ConfigurationError("there is no PEM block `PRIVATE KEY` (PKCS#8, not encrypted)");
    }
    return Ed25519Key.fromPkcs8(apiKey, fromBase64(body.replaceAll(/\s/g, "")));
  }

  /** The same key under an id. */
  withApiKey(apiKey: string): Ed25519Key {
    return new Ed25519Key(apiKey, this.privateKey);
  }

  async sign(payload: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.sign("Ed25519", this.privateKey, payload));
  }
}

/** A secret that the venue showed once, and its id. */
export class HmacKey implements Key {
  private constructor(
    readonly apiKey: string,
    private readonly secret: CryptoKey,
  ) {}

  /** Take the secret as the text that was shown, `tws_` included. */
  static async fromSecret(apiKey: string, secret: string): Promise<HmacKey> {
    if (secret === "") {
      throw new ConfigurationError("the HMAC secret is empty");
    }
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const bytes = new TextEncoder().encode(secret);
    return new HmacKey(
      apiKey,
      await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]),
    );
  }

  async sign(payload: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.sign("HMAC", this.secret, payload));
  }
}

/**
 * The key that an entry of a key file describes.
 *
 * @throws ConfigurationError if something is missing or malformed.
 */
export async function keyFromEntry(entry: KeyEntry): Promise<Key> {
  const algorithm = entry.algorithm ?? "ed25519";
  if (algorithm === "ed25519" && entry.private_key !== undefined) {
    return Ed25519Key.fromSeed(entry.api_key, entry.private_key);
  }
  if (algorithm === "hmac-sha256" && entry.secret !== undefined) {
    return HmacKey.fromSecret(entry.api_key, entry.secret);
  }
  throw new ConfigurationError(
    `a key has "private_key" (ed25519) or "secret" (hmac-sha256); this one is ${algorithm} and lacks it`,
  );
}

/** The string to sign of a session. */
export function sessionStringToSign(stamp: Stamp): string {
  return [...stampLines(stamp), SESSION].join("\n");
}

/** The string to sign of a REST request. */
export async function requestStringToSign(stamp: Stamp, request: RequestToSign): Promise<string> {
  const body = bytesOf(request.body);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [...stampLines(stamp), request.method, request.path, hex].join("\n");
}

/** The signature of a string to sign, base64url. */
export async function signature(key: Key, stringToSign: string): Promise<string> {
  return base64url(await key.sign(new TextEncoder().encode(stringToSign)));
}

/** The `x-api-*` headers of a REST request. */
export async function signRequest(
  key: Key,
  stamp: Stamp,
  request: RequestToSign,
): Promise<Record<string, string>> {
  return {
    "x-api-key": key.apiKey,
    "x-api-timestamp": String(stamp.timestampMs),
    "x-api-nonce": stamp.nonce,
    "x-api-signature": await signature(key, await requestStringToSign(stamp, request)),
  };
}

function stampLines(stamp: Stamp): string[] {
  return [PREAMBLE, stamp.environment, String(stamp.timestampMs), stamp.nonce];
}

function bytesOf(body: Uint8Array<ArrayBuffer> | string | undefined): Uint8Array<ArrayBuffer> {
  return typeof body === "string" || body === undefined ? new TextEncoder().encode(body) : body;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const standard = text.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  try {
    return Uint8Array.from(atob(standard), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new ConfigurationError("the private key is not base64", { cause });
  }
}
