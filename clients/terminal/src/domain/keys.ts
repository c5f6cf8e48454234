/** Reads a key as people have it: a seed, a PEM, a secret, or the whole file that `tradewire` writes. */
import type { Credential } from "../venue/venue.js";

export type Algorithm = "ed25519" | "hmac";

export interface KeyForm {
  readonly apiKey: string;
  readonly algorithm: Algorithm;
  readonly secret: string;
}

export type KeyErrors = Partial<Record<"apiKey" | "secret", string>>;

const SEED_BYTES = 32;
/** What stands before the seed in a PKCS#8 file of an Ed25519 key (RFC 8410). */
const PKCS8_PREFIX = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const PEM = /-----BEGIN PRIVATE KEY-----([\s\S]+)-----END PRIVATE KEY-----/;

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  const plain = base64.replace(/\s/g, "").replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  try {
    return Uint8Array.from(atob(plain), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** Reads the 32 bytes of an Ed25519 private key from base64, hexadecimal or PEM; undefined when they are not there. */
export function readSeed(text: string): Uint8Array<ArrayBuffer> | undefined {
  const pem = PEM.exec(text);
  if (pem?.[1] !== undefined) {
    const bytes = bytesOf(pem[1]);
    const fits = bytes?.length === PKCS8_PREFIX.length + SEED_BYTES && PKCS8_PREFIX.every((byte, at) => bytes[at] === byte);
    return fits ? bytes.slice(PKCS8_PREFIX.length) : undefined;
  }
  const plain = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(plain)) {
    return Uint8Array.from({ length: SEED_BYTES }, (_, at) => Number.parseInt(plain.slice(2 * at, 2 * at + 2), 16));
  }
  const bytes = bytesOf(plain);
  return bytes?.length === SEED_BYTES ? bytes : undefined;
}

/** Reads a pasted key file; undefined when the text is none. */
export function readKeyFile(text: string): KeyForm | undefined {
  if (!text.trim().startsWith("{")) return undefined;
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof file !== "object" || file === null) return undefined;
  const { api_key: apiKey, algorithm, private_key: privateKey, secret } = file as Record<string, unknown>;
  if (typeof apiKey !== "string") return undefined;
  const hmac = typeof secret === "string" || algorithm === "hmac-sha256" || algorithm === "hmac";
  const value = typeof secret === "string" ? secret : privateKey;
  return typeof value === "string" ? { apiKey, algorithm: hmac ? "hmac" : "ed25519", secret: value } : undefined;
}

/** Makes a credential of what was typed, or says what is wrong with it. */
export function readCredential(form: KeyForm): Credential | KeyErrors {
  const apiKey = form.apiKey.trim();
  const errors: KeyErrors = {};
  if (apiKey === "") errors.apiKey = "Enter the key's id; it begins with tw_.";
  else if (apiKey.length > 64 || /\s/.test(apiKey)) errors.apiKey = "A key's id is one word of at most 64 characters.";
  if (form.algorithm === "hmac") {
    const secret = form.secret.trim();
    if (secret === "") errors.secret = "Enter the secret that was shown when the key was made.";
    return Object.keys(errors).length > 0 ? errors : { kind: "key", apiKey, secret: { algorithm: "hmac", secret } };
  }
  const seed = readSeed(form.secret);
  if (seed === undefined) {
    errors.secret = "Enter the private key as 32 bytes in base64 or hexadecimal, or as PEM (BEGIN PRIVATE KEY).";
  }
  if (seed === undefined || Object.keys(errors).length > 0) return errors;
  return { kind: "key", apiKey, secret: { algorithm: "ed25519", seed } };
}
