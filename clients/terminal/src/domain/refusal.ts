/** Why the venue did not do what was asked, and where on the ticket that belongs. */

/** The fields of a ticket and of an amendment that can be wrong. */
export type FieldName = "price" | "quantity" | "quoteQuantity" | "timeInForce" | "postOnly" | "expireTime";
export type FieldErrors = Partial<Record<FieldName, string>>;

export interface FieldViolation {
  /** As the contract names it, in snake_case or camelCase. */
  readonly field: string;
  readonly text: string;
}

/** A refusal or rejection of the venue, or a call that did not reach it. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    message: string,
    /** Name of the catalogue, e.g. `PRICE_OFF_TICK`; empty when the venue did not answer. */
    readonly reason: string,
    readonly violations: readonly FieldViolation[] = [],
    /** What to do next, a sentence of the catalogue. */
    readonly advice = "",
    /** True when nobody knows whether it had an effect. */
    readonly outcomeUnknown = false,
  ) {
    super(message);
  }

  /** True when the credential is of no use any more: somebody has to sign in again. */
  get endsSession(): boolean {
    return SESSION_ENDS.has(this.reason);
  }

  /** One text for a toast: what happened, then what to do. */
  get text(): string {
    const words = REJECTIONS.get(this.reason);
    if (words !== undefined) return words;
    // Some messages say the advice themselves.
    const said = this.message.toLowerCase().includes(this.advice.toLowerCase().replace(/[.]$/, ""));
    return said ? this.message : `${this.message} ${this.advice}`;
  }
}

const SESSION_ENDS: ReadonlySet<string> = new Set([
  "CREDENTIAL_ENDED",
  "KEY_REVOKED",
  "KEY_EXPIRED",
  "SIGNATURE_INVALID",
  "ADDRESS_NOT_ALLOWED",
  "UNAUTHENTICATED",
]);

/** Rejections carry their reason alone: what they mean, in the words of the ticket. */
const REJECTIONS: ReadonlyMap<string, string> = new Map([
  [
    "POST_ONLY_WOULD_TRADE",
    "At this price the order would trade at once, which post-only forbids. Use another price, or set Post-only to Reprice.",
  ],
  [
    "INSUFFICIENT_FUNDS",
    "The available balance does not cover the order and its fee. Send a smaller order, or cancel other orders.",
  ],
  ["PRICE_OUT_OF_BAND", "The price is too far from the last trade. Use a price nearer to the market."],
  ["INSTRUMENT_HALTED", "The instrument is halted: it takes cancels only. Wait until it trades again."],
  ["INSTRUMENT_CANCEL_ONLY", "The instrument takes cancels only. Wait until it trades again."],
  ["INSTRUMENT_POST_ONLY", "The instrument takes post-only orders only. Set Post-only."],
  ["OPEN_ORDER_LIMIT", "The account has as many open orders as it may have. Cancel orders first."],
  ["TRADING_DISABLED", "Trading is disabled for this account or the whole venue. Ask the venue."],
]);

/** Why nobody could sign in, in the words of somebody who trades and does not write programs. */
const SIGN_IN: ReadonlyMap<string, string> = new Map([
  [
    "SIGNATURE_INVALID",
    "The venue did not accept this key. The key id and the private key do not belong together, or the key is of another venue. Take both from the same key, and check the kind of key.",
  ],
  ["KEY_REVOKED", "This key was revoked and does not sign in any more. Use another key."],
  ["KEY_EXPIRED", "This key has expired. Use another key, or have a new one made."],
  [
    "ADDRESS_NOT_ALLOWED",
    "This key may not be used from where you are. Sign in from an address on the key's list, or have yours added to it.",
  ],
  [
    "TIMESTAMP_OUT_OF_WINDOW",
    "This device's clock is wrong, so the venue does not accept what it signs. Set the time to automatic, then sign in again.",
  ],
  ["RATE_LIMITED", "Too many attempts to sign in. Wait a minute, then try again."],
  ["TICKET_INVALID", "Signing in took too long. Try again."],
]);

/** What hindered somebody from signing in, and below it what the venue said, where that is more. */
export interface SignInProblem {
  readonly text: string;
  readonly said?: string;
}

export function signInProblem(refusal: Refusal): SignInProblem {
  const text = SIGN_IN.get(refusal.reason);
  return text === undefined ? { text: refusal.text } : { text, said: refusal.message };
}

const FIELDS: ReadonlyMap<string, FieldName> = new Map([
  ["price", "price"],
  ["quantity", "quantity"],
  ["quote_quantity", "quoteQuantity"],
  ["time_in_force", "timeInForce"],
  ["post_only", "postOnly"],
  ["expire_time", "expireTime"],
]);

const REASONS: ReadonlyMap<string, FieldName> = new Map([
  ["PRICE_OFF_TICK", "price"],
  ["PRICE_OUT_OF_RANGE", "price"],
  ["PRICE_OUT_OF_BAND", "price"],
  ["QUANTITY_OFF_LOT", "quantity"],
  ["QUANTITY_OUT_OF_RANGE", "quantity"],
  ["QUANTITY_BELOW_FILLED", "quantity"],
  ["NOTIONAL_OUT_OF_RANGE", "quantity"],
  ["INSUFFICIENT_FUNDS", "quantity"],
  ["EXPIRE_TIME_INVALID", "expireTime"],
  ["POST_ONLY_WOULD_TRADE", "price"],
  ["INSTRUMENT_POST_ONLY", "postOnly"],
]);

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Finds the fields that a refusal is about; empty when it is about the order as a whole. */
export function fieldErrors(refusal: Refusal): FieldErrors {
  const errors: FieldErrors = {};
  for (const { field, text } of refusal.violations) {
    const name = FIELDS.get(snakeCase(field.split(".").at(-1) ?? field));
    if (name !== undefined) errors[name] ??= text;
  }
  if (Object.keys(errors).length > 0) return errors;
  const name = REASONS.get(refusal.reason);
  return name === undefined ? {} : { [name]: refusal.text };
}
