/** How numbers and times look. Everything takes decimal text and returns text. */
import Big from "big.js";
import { big, type Decimal } from "./decimal.js";

const MINUS = "\u2212";

function groupThousands(digits: string): string {
  return digits.replace(/\B(?=(?:[0-9]{3})+$)/g, ",");
}

/** Shows a decimal with exactly `decimals` places, cut and not rounded up: 1234.5 becomes `1,234.50`. */
export function fixed(value: Decimal, decimals: number): string {
  const text = big(value).abs().toFixed(decimals, Big.roundDown);
  const [whole = "0", fraction] = text.split(".");
  const sign = value.startsWith("-") && /[1-9]/.test(text) ? MINUS : "";
  return sign + groupThousands(whole) + (fraction === undefined ? "" : `.${fraction}`);
}

/** Shows a decimal as it is, with groups of thousands; nothing is cut. */
export function exact(value: Decimal): string {
  const text = big(value).toFixed();
  const [whole = "0", fraction] = text.replace("-", "").split(".");
  return (text.startsWith("-") ? MINUS : "") + groupThousands(whole) + (fraction === undefined ? "" : `.${fraction}`);
}

/** Shows a decimal with a sign, for changes and profits. */
export function signed(value: Decimal, decimals: number): string {
  const text = fixed(value, decimals);
  return text.startsWith(MINUS) || !/[1-9]/.test(text) ? text : `+${text}`;
}

/** Shows an amount with the places that people expect of an asset: two for money, eight at most for coins. */
export function amount(value: Decimal, asset: string): string {
  if (FIAT.has(asset)) return fixed(value, 2);
  const text = fixed(value, 8);
  return text.includes(".") ? text.replace(/0+$/, "").replace(/[.]$/, "") : text;
}

const FIAT = new Set(["USD", "EUR", "GBP", "CHF", "JPY", "USDT", "USDC"]);

/** Shows a change in percent from one price to another, `+1.24%`. */
export function percentChange(from: Decimal, to: Decimal): string {
  const base = big(from);
  if (base.eq(big("0"))) return "\u2013";
  const change = big(to).minus(base).times(big("100")).div(base).toFixed(2, Big.roundHalfUp);
  const text = change === "-0.00" ? "0.00" : change;
  return `${text.startsWith("-") ? MINUS + text.slice(1) : /[1-9]/.test(text) ? `+${text}` : text}%`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Shows a time of day, `09:05:12`, of the reader's zone. */
export function timeOfDay(milliseconds: number): string {
  const date = new Date(milliseconds);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Shows date and time, `2026-11-22 09:05:12`, of the reader's zone. */
export function dateAndTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(milliseconds)}`;
}

/** Shows a sequence number or a count, `12,345`. */
export function count(value: bigint | number): string {
  return groupThousands(String(value));
}
