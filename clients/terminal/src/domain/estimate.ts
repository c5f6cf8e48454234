/** What an order would cost, and how much of what is available it could use. All of it exact decimals. */
import {
  add,
  big,
  compare,
  decimalsOf,
  divide,
  multiply,
  roundDown,
  subtract,
  ZERO,
  type Decimal,
} from "../money/decimal.js";
import type { Instrument, Level, PostOnly, Side } from "./types.js";

export interface FeeRates {
  readonly makerFeeRate: Decimal;
  readonly takerFeeRate: Decimal;
}

export interface Estimate {
  /** Price times quantity, in units of quote. */
  readonly notional: Decimal;
  /** The highest fee that the order can cost; a sale pays it from what it receives. */
  readonly fee: Decimal;
  /** What a purchase needs, or what a sale brings after its fee. */
  readonly total: Decimal;
}

const greater = (left: Decimal, right: Decimal): Decimal => (compare(left, right) < 0 ? right : left);

/** Returns the fee rate that an order may have to pay: a post-only order never takes. */
export function feeRate(rates: FeeRates, postOnly: PostOnly): Decimal {
  return postOnly === "off" ? greater(rates.makerFeeRate, rates.takerFeeRate) : rates.makerFeeRate;
}

export function estimate(side: Side, notional: Decimal, rate: Decimal): Estimate {
  const fee = multiply(notional, rate);
  return { notional, fee, total: side === "buy" ? add(notional, fee) : subtract(notional, fee) };
}

/** Returns the notional of a quantity that walks a book, or undefined when the book has less. */
export function notionalOf(levels: readonly Level[], quantity: Decimal): Decimal | undefined {
  let left = quantity;
  let notional = ZERO;
  for (const level of levels) {
    const taken = compare(level.quantity, left) < 0 ? level.quantity : left;
    notional = add(notional, multiply(level.price, taken));
    left = subtract(left, taken);
    if (compare(left, ZERO) <= 0) return notional;
  }
  return undefined;
}

/** Returns the quantity that an amount of quote buys in a book, as far as the book goes. */
export function quantityFor(levels: readonly Level[], budget: Decimal): Decimal {
  let left = budget;
  let quantity = ZERO;
  for (const level of levels) {
    const whole = multiply(level.price, level.quantity);
    if (compare(whole, left) >= 0) return add(quantity, divide(left, level.price));
    quantity = add(quantity, level.quantity);
    left = subtract(left, whole);
  }
  return quantity;
}

/** Returns the decimals of a quote amount: those of the tick and the lot together, so that notionals are exact. */
export function quoteStep(instrument: Instrument): Decimal {
  const decimals = decimalsOf(instrument.tickSize) + decimalsOf(instrument.lotSize);
  return decimals === 0 ? "1" : `0.${"1".padStart(decimals, "0")}`;
}

/**
 * Returns the quantity for a percentage of what is available, a multiple of the lot that is never too much.
 *
 * A purchase at `price` holds its notional and the highest fee, whatever the order pays in the end.
 */
export function quantityForPercent(
  instrument: Instrument,
  side: Side,
  available: Decimal,
  percent: Decimal,
  rates: FeeRates,
  price: Decimal | undefined,
  asks: readonly Level[],
): Decimal {
  const part = divide(multiply(available, percent), "100");
  if (side === "sell") return capped(instrument, roundDown(part, instrument.lotSize));
  const budget = divide(part, add("1", greater(rates.makerFeeRate, rates.takerFeeRate)));
  if (price === undefined) return capped(instrument, roundDown(quantityFor(asks, budget), instrument.lotSize));
  if (compare(price, ZERO) <= 0) return ZERO;
  return capped(instrument, roundDown(divide(budget, price), instrument.lotSize));
}

const capped = (instrument: Instrument, quantity: Decimal): Decimal =>
  compare(quantity, instrument.maximumQuantity) > 0 ? instrument.maximumQuantity : quantity;

/** Returns the amount of quote for a percentage of what is available, for a market order by amount. */
export function quoteForPercent(
  instrument: Instrument,
  available: Decimal,
  percent: Decimal,
  rates: FeeRates,
): Decimal {
  const part = divide(multiply(available, percent), "100");
  const budget = divide(part, add("1", greater(rates.makerFeeRate, rates.takerFeeRate)));
  // Two decimals are what people type; the rest of a cent stays where it is.
  const step = compare(quoteStep(instrument), "0.01") < 0 ? "0.01" : quoteStep(instrument);
  return roundDown(budget, step);
}

/** Returns the profit of an open position at a price. */
export function profitAt(quantity: Decimal, averagePrice: Decimal, price: Decimal): Decimal {
  return big(price).minus(big(averagePrice)).times(big(quantity)).toFixed();
}
