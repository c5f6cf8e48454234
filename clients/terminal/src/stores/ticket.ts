/** The order ticket: what was typed, what is wrong with it, and what it would cost. */
import { batch, computed, signal, type ReadonlySignal } from "@preact/signals";
import { add, compare, isDecimal, multiply, roundDown, subtract, ZERO, type Decimal } from "../money/decimal.js";
import { estimate, feeRate, notionalOf, quantityForPercent, quoteForPercent, quoteStep, type Estimate } from "../domain/estimate.js";
import { fieldErrors, Refusal, type FieldErrors, type FieldName } from "../domain/refusal.js";
import type { Instrument, NewOrder, Order, OrderType, PostOnly, Side, TimeInForce } from "../domain/types.js";
import { instrumentProblem, validate, type Conditions, type Draft } from "../domain/validation.js";
import type { Venue } from "../venue/venue.js";
import type { AccountStore } from "./account.js";
import type { InstrumentStore } from "./instruments.js";
import { textOf } from "./loading.js";
import type { MarketStore } from "./market.js";

const NO_RATES = { makerFeeRate: ZERO, takerFeeRate: ZERO };

export class TicketStore {
  readonly side = signal<Side>("buy");
  readonly type = signal<OrderType>("limit");
  readonly timeInForce = signal<TimeInForce>("gtc");
  readonly postOnly = signal<PostOnly>("off");
  readonly price = signal("");
  readonly quantity = signal("");
  /** Of a market order: the quantity is an amount of quote. */
  readonly byAmount = signal(false);
  /** Of a GTD order, as a local date and time of a form. */
  readonly expireTime = signal("");
  readonly sending = signal(false);
  /** What is wrong with the fields; set when the order was to be sent, and kept up to date from then on. */
  readonly errors = signal<FieldErrors>({});
  /** What is wrong with the order as a whole. */
  readonly problem = signal("");
  readonly estimate: ReadonlySignal<Estimate | undefined>;
  /** What the side can use: the asset and how much of it. */
  readonly available: ReadonlySignal<{ readonly asset: string; readonly amount: Decimal } | undefined>;
  #checked = false;

  constructor(
    private readonly venue: Venue,
    private readonly instruments: InstrumentStore,
    private readonly market: MarketStore,
    private readonly account: AccountStore,
  ) {
    this.available = computed(() => {
      const instrument = instruments.current.value;
      if (instrument === undefined) return undefined;
      const asset = this.side.value === "buy" ? instrument.quoteAsset : instrument.baseAsset;
      return { asset, amount: account.available(asset) };
    });
    this.estimate = computed(() => {
      const notional = this.#notional();
      if (notional === undefined || account.account.value === undefined) return undefined;
      return estimate(this.side.value, notional, feeRate(account.account.value, this.postOnly.value));
    });
  }

  setType(type: OrderType): void {
    batch(() => {
      this.type.value = type;
      // What a market order cannot be is put right at once, and back again.
      if (type === "market") {
        this.timeInForce.value = "ioc";
        this.postOnly.value = "off";
      } else {
        this.timeInForce.value = "gtc";
        this.byAmount.value = false;
      }
    });
    this.#forgetProblems();
  }

  setSide(side: Side): void {
    this.side.value = side;
    this.recheck();
  }

  setByAmount(byAmount: boolean): void {
    batch(() => {
      this.byAmount.value = byAmount;
      this.quantity.value = "";
    });
    this.#forgetProblems();
  }

  /** Takes a price from the ladder. */
  takePrice(price: Decimal): void {
    if (this.type.peek() !== "limit") this.setType("limit");
    this.price.value = price;
    this.recheck();
  }

  /** Empties the ticket for another instrument. */
  reset(): void {
    batch(() => {
      this.price.value = "";
      this.quantity.value = "";
    });
    this.#forgetProblems();
  }

  /** Takes a percentage of what is available as the quantity. */
  takePercent(percent: number): void {
    const instrument = this.instruments.current.peek();
    const available = this.available.peek();
    if (instrument === undefined || available === undefined) return;
    const rates = this.account.account.peek() ?? NO_RATES;
    const market = this.type.peek() === "market";
    const share = String(percent);
    const asks = this.market.book.peek()?.asks ?? [];
    const typed = this.price.peek();
    const price = market ? undefined : isDecimal(typed) ? typed : (asks[0]?.price ?? ZERO);
    this.quantity.value =
      market && this.byAmount.peek() && this.side.peek() === "buy"
        ? quoteForPercent(instrument, available.amount, share, rates)
        : quantityForPercent(instrument, this.side.peek(), available.amount, share, rates, price, asks);
    this.recheck();
  }

  /** Moves the price or the quantity by steps of the instrument. */
  step(field: "price" | "quantity", steps: number): void {
    const instrument = this.instruments.current.peek();
    if (instrument === undefined) return;
    const text = this[field].peek();
    const amountStep = compare(quoteStep(instrument), "1") < 0 ? "1" : quoteStep(instrument);
    const size = field === "price" ? instrument.tickSize : this.byAmount.peek() ? amountStep : instrument.lotSize;
    const start = isDecimal(text) ? roundDown(text, size) : field === "price" ? this.#bestPrice() : ZERO;
    const change = multiply(size, String(Math.abs(steps)));
    const next = steps > 0 ? add(start, change) : subtract(start, change);
    if (compare(next, ZERO) > 0) this[field].value = next;
    this.recheck();
  }

  /** Checks again what was checked before; a ticket that was never sent is not nagged about. */
  recheck(): void {
    this.problem.value = "";
    if (this.#checked) this.errors.value = this.#check() ?? {};
  }

  /** Sends the order, when nothing is wrong with it; returns it as the venue answered. */
  async send(): Promise<Order | undefined> {
    if (this.sending.peek()) return undefined;
    const instrument = this.instruments.current.peek();
    const errors = this.#check();
    if (instrument === undefined || errors === undefined) return undefined;
    this.#checked = true;
    this.errors.value = errors;
    this.problem.value = instrumentProblem(instrument, this.postOnly.peek()) ?? "";
    if (this.problem.peek() !== "" || Object.keys(errors).length > 0) return undefined;
    this.sending.value = true;
    try {
      const order = await this.venue.place(this.#order(instrument));
      this.#checked = false;
      this.quantity.value = "";
      return order;
    } catch (error) {
      this.#refused(error);
      throw error;
    } finally {
      this.sending.value = false;
    }
  }

  #refused(error: unknown): void {
    const errors = error instanceof Refusal ? fieldErrors(error) : {};
    this.errors.value = errors;
    this.problem.value = Object.keys(errors).length > 0 ? "" : textOf(error);
  }

  #forgetProblems(): void {
    this.#checked = false;
    this.errors.value = {};
    this.problem.value = "";
  }

  #bestPrice(): Decimal {
    const book = this.market.book.peek();
    const levels = this.side.peek() === "buy" ? book?.bids : book?.asks;
    const symbol = this.instruments.symbol.peek();
    return levels?.[0]?.price ?? this.instruments.ticker(symbol).peek().lastPrice ?? ZERO;
  }

  /** What the order trades for: exactly for a limit order, as the book is for a market order. */
  #notional(): Decimal | undefined {
    const quantity = this.quantity.value.trim();
    if (!isDecimal(quantity)) return undefined;
    if (this.type.value === "limit") {
      const price = this.price.value.trim();
      return isDecimal(price) ? multiply(price, quantity) : undefined;
    }
    if (this.byAmount.value) return quantity;
    const book = this.market.book.value;
    return book && notionalOf(this.side.value === "buy" ? book.asks : book.bids, quantity);
  }

  #draft(): Draft {
    return {
      side: this.side.peek(),
      type: this.type.peek(),
      timeInForce: this.timeInForce.peek(),
      postOnly: this.postOnly.peek(),
      price: this.price.peek().trim(),
      quantity: this.quantity.peek().trim(),
      byAmount: this.byAmount.peek(),
      expireTime: Date.parse(this.expireTime.peek()),
    };
  }

  #check(): FieldErrors | undefined {
    const instrument = this.instruments.current.peek();
    if (instrument === undefined) return undefined;
    const draft = this.#draft();
    const conditions: Conditions = {
      rules: this.venue.rules,
      instrument,
      rates: this.account.account.peek() ?? NO_RATES,
      lastPrice: this.instruments.ticker(instrument.symbol).peek().lastPrice,
      availableBase: this.account.available(instrument.baseAsset),
      availableQuote: this.account.available(instrument.quoteAsset),
      marketNotional: draft.type === "market" ? this.#notional() : undefined,
      now: Date.now(),
    };
    return validate(draft, conditions);
  }

  #order(instrument: Instrument): NewOrder {
    const draft = this.#draft();
    const { side, type, timeInForce, postOnly } = draft;
    const common = { symbol: instrument.symbol, side, type, timeInForce, postOnly };
    const expiry = timeInForce === "gtd" ? { expireTime: draft.expireTime } : {};
    if (type === "limit") return { ...common, ...expiry, price: draft.price, quantity: draft.quantity };
    return draft.byAmount ? { ...common, quoteQuantity: draft.quantity } : { ...common, quantity: draft.quantity };
  }
}

/** The fields in the order in which they stand, for the focus after a refusal. */
export const FIELD_ORDER: readonly FieldName[] = [
  "price",
  "quantity",
  "quoteQuantity",
  "timeInForce",
  "expireTime",
  "postOnly",
];

