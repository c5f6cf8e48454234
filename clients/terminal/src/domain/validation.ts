/**
 * Checks an order before it is sent: by the contract's patterns, the instrument's rules and the account's money.
 *
 * The venue checks everything again and has the last word; what is found here is only said sooner, at the field.
 * Messages say what to do.
 */
import {
  add,
  compare,
  decimalsOf,
  isMultiple,
  multiply,
  roundDown,
  subtract,
  ZERO,
  type Decimal,
} from "../money/decimal.js";
import { amount, exact } from "../money/format.js";
import { estimate, quoteStep, type FeeRates } from "./estimate.js";
import type { FieldErrors } from "./refusal.js";
import type { Instrument, InstrumentStatus, OrderType, PostOnly, Side, TimeInForce } from "./types.js";

/** What the contract says of decimals in an order. */
export interface ContractRules {
  readonly price: RegExp;
  readonly quantity: RegExp;
  readonly quoteQuantity: RegExp;
}

/** A ticket as it was typed. */
export interface Draft {
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  readonly postOnly: PostOnly;
  readonly price: string;
  readonly quantity: string;
  /** Of a market order: `quantity` is an amount of quote. */
  readonly byAmount: boolean;
  /** Of a GTD order: milliseconds since the epoch, NaN while it is not a time. */
  readonly expireTime: number;
}

/** What an order is checked against. */
export interface Conditions {
  readonly rules: ContractRules;
  readonly instrument: Instrument;
  readonly rates: FeeRates;
  readonly lastPrice: Decimal | undefined;
  readonly availableBase: Decimal;
  readonly availableQuote: Decimal;
  /** What a market order would trade for in the book as it is; undefined when that is not known. */
  readonly marketNotional: Decimal | undefined;
  readonly now: number;
}

const STATUS_TEXT: Readonly<Record<Exclude<InstrumentStatus, "trading">, string>> = {
  halted: "is halted: it takes cancels only. Wait until it trades again.",
  cancel_only: "takes cancels only. Wait until it trades again.",
  post_only: "takes post-only orders only. Set Post-only.",
};

/** Says why the instrument takes no such order now; undefined when it does. */
export function instrumentProblem(instrument: Instrument, postOnly: PostOnly): string | undefined {
  const { status } = instrument;
  if (status === "trading" || (status === "post_only" && postOnly !== "off")) return undefined;
  return `${instrument.symbol} ${STATUS_TEXT[status]}`;
}

function decimalProblem(text: string, pattern: RegExp, name: string, example: string): string | undefined {
  if (text.trim() === "") return `Enter ${name}, such as ${example}.`;
  if (!pattern.test(text)) return `Enter ${name} as digits with a point, such as ${example}.`;
  return compare(text, ZERO) === 0 ? `Enter ${name} above zero.` : undefined;
}

function stepProblem(value: Decimal, step: Decimal, name: string): string | undefined {
  if (isMultiple(value, step)) return undefined;
  const below = roundDown(value, step);
  const above = add(below, step);
  const nearest = compare(below, ZERO) === 0 ? exact(above) : `${exact(below)} or ${exact(above)}`;
  return `${name} moves in steps of ${exact(step)}: use ${nearest}.`;
}

export function priceProblem(text: string, instrument: Instrument, pattern: RegExp): string | undefined {
  const example = exampleOf(instrument.tickSize);
  return decimalProblem(text, pattern, "a price", example) ?? stepProblem(text, instrument.tickSize, "The price");
}

export function quantityProblem(text: string, instrument: Instrument, pattern: RegExp): string | undefined {
  const { lotSize, minimumQuantity, maximumQuantity, baseAsset } = instrument;
  const problem =
    decimalProblem(text, pattern, "a quantity", exact(minimumQuantity)) ?? stepProblem(text, lotSize, "The quantity");
  if (problem !== undefined) return problem;
  if (compare(text, minimumQuantity) < 0) return `The smallest order is ${exact(minimumQuantity)} ${baseAsset}.`;
  if (compare(text, maximumQuantity) > 0) return `The greatest order is ${exact(maximumQuantity)} ${baseAsset}.`;
  return undefined;
}

/** Checks price times quantity against the instrument's bounds. */
export function notionalProblem(notional: Decimal, instrument: Instrument): string | undefined {
  const { minimumNotional, maximumNotional, quoteAsset } = instrument;
  if (compare(notional, minimumNotional) < 0) {
    return `The order is worth ${amount(notional, quoteAsset)} ${quoteAsset}; at least ${amount(minimumNotional, quoteAsset)} is needed.`;
  }
  if (compare(notional, maximumNotional) > 0) {
    return `The order is worth ${amount(notional, quoteAsset)} ${quoteAsset}; at most ${amount(maximumNotional, quoteAsset)} is taken.`;
  }
  return undefined;
}

/** Checks the distance of a limit price from the last trade. */
export function bandProblem(
  price: Decimal,
  lastPrice: Decimal | undefined,
  instrument: Instrument,
): string | undefined {
  const band = instrument.priceBandPercent;
  if (lastPrice === undefined || compare(band, ZERO) === 0) return undefined;
  const room = multiply(multiply(lastPrice, band), "0.01");
  const distance = subtract(price, lastPrice);
  const outside = compare(distance, room) > 0 || compare(distance, subtract(ZERO, room)) < 0;
  return outside ? `More than ${exact(band)} % from the last trade at ${exact(lastPrice)}: use a nearer price.` : undefined;
}

const exampleOf = (tickSize: Decimal): string => {
  const decimals = decimalsOf(tickSize);
  return decimals === 0 ? "100" : `100.${"5".padEnd(decimals, "0")}`;
};

function fundsProblem(draft: Draft, notional: Decimal | undefined, conditions: Conditions): string | undefined {
  const { instrument, availableBase, availableQuote, rates } = conditions;
  const { baseAsset, quoteAsset } = instrument;
  if (draft.side === "sell") {
    if (draft.byAmount || compare(draft.quantity, availableBase) <= 0) return undefined;
    return `Only ${exact(availableBase)} ${baseAsset} is available: sell less, or cancel other sales.`;
  }
  if (notional === undefined) return undefined;
  const highest = compare(rates.makerFeeRate, rates.takerFeeRate) < 0 ? rates.takerFeeRate : rates.makerFeeRate;
  const needed = estimate("buy", notional, highest).total;
  if (compare(needed, availableQuote) <= 0) return undefined;
  return `Needs ${amount(needed, quoteAsset)} ${quoteAsset} with its fee; ${amount(availableQuote, quoteAsset)} is available. Buy less, or cancel other orders.`;
}

function amountProblem(draft: Draft, { rules, instrument }: Conditions): string | undefined {
  const { minimumNotional } = instrument;
  const problem = decimalProblem(draft.quantity, rules.quoteQuantity, "an amount", exact(minimumNotional));
  if (problem !== undefined) return problem;
  const decimals = decimalsOf(quoteStep(instrument));
  if (decimalsOf(draft.quantity) > decimals) return `An amount has at most ${decimals} decimals.`;
  return notionalProblem(draft.quantity, instrument);
}

function combinationProblems(draft: Draft, now: number): FieldErrors {
  const errors: FieldErrors = {};
  const { type, timeInForce, postOnly, byAmount } = draft;
  if (type === "market" && timeInForce !== "ioc" && timeInForce !== "fok") {
    errors.timeInForce = "A market order never rests: choose IOC or FOK.";
  } else if (type === "market" && byAmount && timeInForce === "fok") {
    errors.timeInForce = "A market order by amount has to be IOC.";
  }
  if (postOnly !== "off" && (timeInForce === "ioc" || timeInForce === "fok")) {
    errors.postOnly = "A post-only order has to rest: choose GTC, DAY or GTD.";
  }
  if (timeInForce === "gtd" && !(draft.expireTime > now)) {
    errors.expireTime = "Choose a date and time in the future.";
  }
  return errors;
}

/** Finds what is wrong with a draft, at most one text for each field; empty when it can be sent. */
export function validate(draft: Draft, conditions: Conditions): FieldErrors {
  const { instrument, rules, lastPrice, now } = conditions;
  const errors = combinationProblems(draft, now);
  if (draft.type === "market" && draft.byAmount) {
    const problem = amountProblem(draft, conditions) ?? fundsProblem(draft, draft.quantity, conditions);
    return problem === undefined ? errors : { ...errors, quoteQuantity: problem };
  }
  const limit = draft.type === "limit";
  const price = limit
    ? (priceProblem(draft.price, instrument, rules.price) ?? bandProblem(draft.price, lastPrice, instrument))
    : undefined;
  if (price !== undefined) errors.price = price;
  let quantity = quantityProblem(draft.quantity, instrument, rules.quantity);
  if (quantity === undefined && limit && price === undefined) {
    const notional = multiply(draft.price, draft.quantity);
    quantity = notionalProblem(notional, instrument) ?? fundsProblem(draft, notional, conditions);
  } else if (quantity === undefined && !limit) {
    quantity = fundsProblem(draft, conditions.marketNotional, conditions);
  }
  if (quantity !== undefined) errors.quantity = quantity;
  return errors;
}
