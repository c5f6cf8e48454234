import { describe, expect, it } from "vitest";
import { readCredential, readKeyFile, readSeed } from "../src/domain/keys.js";

const SEED = Uint8Array.from({ length: 32 }, (_, index) => index + 200);
const base64 = (bytes: Iterable<number>): string => btoa(String.fromCharCode(...bytes));
const BASE64 = base64(SEED);
const HEX = [...SEED].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const PREFIX = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PEM = `-----BEGIN PRIVATE KEY-----\n${base64([...PREFIX, ...SEED])}\n-----END PRIVATE KEY-----\n`;

describe("readSeed", () => {
  it.each([
    ["base64", BASE64],
    ["base64url without padding", BASE64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")],
    ["hexadecimal", HEX],
    ["PEM", PEM],
    ["with blanks around it", `  ${BASE64}\n`],
  ])("reads %s", (_, text) => {
    expect(readSeed(text)).toEqual(SEED);
  });

  it.each(["", "short", base64(new Uint8Array(33)), "!".repeat(44), PEM.replace("MC4C", "MC5C"), PEM.replaceAll("PRIVATE", "PUBLIC")])(
    "reads nothing else: %j",
    (text) => {
      expect(readSeed(text)).toBeUndefined();
    },
  );
});

describe("readKeyFile", () => {
  it("takes what `tradewire` writes", () => {
    const file = { account: "demo-1", api_key: "tw_A", algorithm: "ed25519", private_key: BASE64, scopes: ["read"] };
    expect(readKeyFile(JSON.stringify(file))).toEqual({ apiKey: "tw_A", algorithm: "ed25519", secret: BASE64 });
    expect(readKeyFile('{"api_key": "tw_B", "algorithm": "hmac-sha256", "secret": "tws_x"}')).toEqual({
      apiKey: "tw_B",
      algorithm: "hmac",
      secret: "tws_x",
    });
  });

  it.each(["tws_x", "{", "{}", '{"api_key": 1}', "null", '{"api_key": "a"}'])("leaves other text alone: %j", (text) => {
    expect(readKeyFile(text)).toBeUndefined();
  });
});

describe("readCredential", () => {
  it("makes one of either kind", () => {
    expect(readCredential({ apiKey: " tw_A ", algorithm: "ed25519", secret: PEM })).toEqual({
      kind: "key",
      apiKey: "tw_A",
      secret: { algorithm: "ed25519", seed: SEED },
    });
    expect(readCredential({ apiKey: "tw_A", algorithm: "hmac", secret: " tws_x\n" })).toEqual({
      kind: "key",
      apiKey: "tw_A",
      secret: { algorithm: "hmac", secret: "tws_x" },
    });
  });

  it("says at each field what is missing", () => {
    expect(Object.keys(readCredential({ apiKey: "", algorithm: "ed25519", secret: "x" }))).toEqual(["apiKey", "secret"]);
    expect(Object.keys(readCredential({ apiKey: "a b", algorithm: "hmac", secret: "" }))).toEqual(["apiKey", "secret"]);
  });
});
