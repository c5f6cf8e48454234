/** From the client's errors to what a screen says. */
import { TradewireError, UnknownOutcome } from "tradewire-client";
import { Refusal } from "../../domain/refusal.js";

/** Returns a refusal for whatever was thrown. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof UnknownOutcome) {
    const text = `The venue did not answer: it is not known whether this was done. Look at your open orders before you repeat it.`;
    return new Refusal(text, error.reasonName, [], "", true);
  }
  if (error instanceof TradewireError) {
    const violations = error.fieldViolations.map(({ field, description }) => ({ field, text: sentence(description) }));
    return new Refusal(sentence(error.message), error.reasonName, violations, error.advice);
  }
  return new Refusal(sentence(error instanceof Error ? error.message : String(error)), "");
}

/** Awaits a call of the client, and throws a refusal in place of its errors. */
export async function answered<Value>(call: Promise<Value>): Promise<Value> {
  try {
    return await call;
  } catch (error) {
    throw refusalOf(error);
  }
}

/** Makes a sentence of an error text, which the venue begins in lower case. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "The venue gave no reason.";
  const first = /^[a-z]+_/.test(trimmed) ? trimmed : trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
