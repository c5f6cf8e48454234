/**
 * Money and quantities: decimal text on the wire, exact decimals between, never floats.
 *
 * big.js computes; its strict mode throws when a number gets in, so a float cannot sneak into money.
 */
import Big from "big.js";

Big.strict = true;
// Far beyond any product of a price and a quantity; divisions are for display only.
Big.DP = 24;
Big.RM = Big.roundDown;
// Text without an exponent, whatever the size.
Big.NE = -60;
Big.PE = 60;

/** Decimal text, e.g. `60000.5`; with a sign where the contract says so. */
export type Decimal = string;

export const ZERO: Decimal = "0";

const UNSIGNED = /^[0-9]+(?:[.][0-9]+)?$/;

export function big(value: Decimal): Big {
  return new Big(value);
}

/** Says whether a text is a plain unsigned decimal, as the contract has it. */
export function isDecimal(text: string): boolean {
  return UNSIGNED.test(text);
}

export function add(left: Decimal, right: Decimal): Decimal {
  return big(left).plus(big(right)).toFixed();
}

export function subtract(left: Decimal, right: Decimal): Decimal {
  return big(left).minus(big(right)).toFixed();
}

export function multiply(left: Decimal, right: Decimal): Decimal {
  return big(left).times(big(right)).toFixed();
}

/** Returns -1, 0 or 1. */
export function compare(left: Decimal, right: Decimal): -1 | 0 | 1 {
  return big(left).cmp(big(right));
}

export function isZero(value: Decimal): boolean {
  return big(value).eq(big(ZERO));
}

export function isMultiple(value: Decimal, step: Decimal): boolean {
  return big(value).mod(big(step)).eq(big(ZERO));
}

/** Returns the greatest multiple of `step` that is not above `value`. */
export function roundDown(value: Decimal, step: Decimal): Decimal {
  const exact = big(value);
  return exact.minus(exact.mod(big(step))).toFixed();
}

/** Returns the smallest multiple of `step` that is not below `value`. */
export function roundUp(value: Decimal, step: Decimal): Decimal {
  const down = roundDown(value, step);
  return compare(down, value) === 0 ? down : add(down, step);
}

/** Divides, cut after 24 decimals: for what is shown and for what is rounded to a step next. */
export function divide(left: Decimal, right: Decimal): Decimal {
  return big(left).div(big(right)).toFixed();
}

/** Returns how many decimals a step has: 2 for `0.01`. */
export function decimalsOf(step: Decimal): number {
  const text = big(step).toFixed();
  const point = text.indexOf(".");
  return point < 0 ? 0 : text.length - point - 1;
}

/** Returns a share of two decimals between 0 and 1, for bars: the one place where a number comes out. */
export function share(part: Decimal, whole: Decimal): number {
  if (isZero(whole)) return 0;
  return Math.min(1, Number(big(part).div(big(whole)).toFixed(4)));
}
