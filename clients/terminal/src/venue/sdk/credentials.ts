/** Signs in: a key becomes one of the client's, the demo account asks this server for a ticket each time. */
import { Ed25519Key, errorOfJson, HmacKey, type Credentials } from "tradewire-client";
import { Refusal } from "../../domain/refusal.js";
import type { Credential } from "../venue.js";

interface Ticket {
  readonly ticket: string;
}

async function demoTicket(): Promise<string> {
  const response = await fetch("demo", { method: "POST" });
  const body: unknown = await response.json();
  if (!response.ok) throw errorOfJson(body);
  return (body as Ticket).ticket;
}

export async function credentialsOf(credential: Credential): Promise<Credentials> {
  if (credential.kind === "demo") return { ticket: demoTicket };
  const { apiKey, secret } = credential;
  if (!isSecureContext) {
    throw new Refusal("A browser signs on pages of https or of this machine only. Open the terminal there.", "");
  }
  if (secret.algorithm === "hmac") return HmacKey.fromSecret(apiKey, secret.secret);
  try {
    return await Ed25519Key.fromSeed(apiKey, secret.seed);
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotSupportedError") {
      throw new Refusal("This browser does not sign with Ed25519: use a newer one, or an HMAC key.", "");
    }
    throw error;
  }
}
