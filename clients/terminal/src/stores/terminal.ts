/** One signed-in terminal: its stores, made once and put together in the order in which data flows. */
import { effect, signal } from "@preact/signals";
import { amount, exact } from "../money/format.js";
import { multiply } from "../money/decimal.js";
import { Refusal } from "../domain/refusal.js";
import { reasonWords } from "../domain/reasons.js";
import type { Amendment, Execution, Order } from "../domain/types.js";
import type { ContractRules } from "../domain/validation.js";
import type { Session, Stop, Venue } from "../venue/venue.js";
import { AccountStore } from "./account.js";
import { CandleStore } from "./candles.js";
import type { ConnectionStore } from "./connection.js";
import { ExecutionStore } from "./executions.js";
import { InstrumentStore } from "./instruments.js";
import { textOf } from "./loading.js";
import { MarketStore } from "./market.js";
import { OrderStore } from "./orders.js";
import { TicketStore } from "./ticket.js";
import { ToastStore } from "./toasts.js";

export class Terminal {
  readonly instruments: InstrumentStore;
  readonly market: MarketStore;
  readonly candles: CandleStore;
  readonly account: AccountStore;
  readonly orders = new OrderStore();
  readonly executions: ExecutionStore;
  readonly ticket: TicketStore;
  readonly toasts = new ToastStore();
  readonly rules: ContractRules;
  /** Orders of which a cancel is on its way. */
  readonly canceling = signal<ReadonlySet<string>>(new Set());
  readonly #stops: Stop[];

  constructor(
    private readonly venue: Venue,
    readonly session: Session,
    readonly connection: ConnectionStore,
  ) {
    this.rules = venue.rules;
    this.instruments = new InstrumentStore(venue);
    this.market = new MarketStore(venue, this.instruments);
    this.candles = new CandleStore(venue, this.instruments, this.market);
    this.account = new AccountStore(venue);
    this.executions = new ExecutionStore(venue, {
      begin: (snapshot) => {
        this.orders.begin(snapshot.orders);
        this.account.begin(snapshot);
      },
      happened: (executions) => {
        this.orders.apply(executions);
        this.account.touch();
        this.#announce(executions);
      },
      past: (executions) => {
        this.orders.remember(executions);
      },
    });
    this.ticket = new TicketStore(venue, this.instruments, this.market, this.account);
    this.#stops = [
      effect(() => {
        // A price of one instrument is none of another.
        if (this.instruments.symbol.value !== "") this.ticket.reset();
      }),
      effect(() => {
        // Trades were missed while the connection was away: what is made of them is fetched again.
        if (this.connection.marketResumes.value > 0) {
          this.candles.refresh();
          this.market.refresh();
          void this.instruments.refresh();
          this.account.touch();
        }
      }),
    ];
  }

  start(): void {
    void this.instruments.load();
    void this.account.load();
    this.executions.open();
  }

  dispose(): void {
    for (const stop of this.#stops) stop();
    for (const store of [this.executions, this.candles, this.market, this.instruments, this.account, this.toasts]) {
      store.dispose();
    }
  }

  /** Sends the ticket; true when the order was taken. */
  async place(): Promise<boolean> {
    if (!this.connection.isLive) {
      // It would wait for the connection, and reach a market that has moved on.
      this.toasts.show("bad", "Order not placed", "There is no connection: nothing was sent.");
      return false;
    }
    try {
      const order = await this.ticket.send();
      if (order === undefined) return false;
      this.#announcePlaced(order);
      return true;
    } catch (error) {
      this.toasts.show("bad", "Order not placed", textOf(error));
      // What the instrument takes may have changed since the list was fetched.
      if (error instanceof Refusal && error.reason.startsWith("INSTRUMENT_")) void this.instruments.refresh();
      return false;
    }
  }

  /** Amends an order; throws what the venue refused. */
  async amend(amendment: Amendment): Promise<void> {
    const order = await this.venue.amend(amendment);
    this.toasts.show("good", "Order amended", describe(order));
  }

  async cancel(order: Order): Promise<void> {
    this.canceling.value = new Set([...this.canceling.peek(), order.orderId]);
    try {
      await this.venue.cancel(order.orderId);
      this.toasts.show("plain", "Order canceled", describe(order));
    } catch (error) {
      this.toasts.show("bad", "Order not canceled", textOf(error));
    } finally {
      this.canceling.value = new Set([...this.canceling.peek()].filter((id) => id !== order.orderId));
    }
  }

  async cancelAll(): Promise<void> {
    try {
      const canceled = await this.venue.cancelAll();
      this.toasts.show("plain", canceled === 1 ? "1 order canceled" : `${canceled} orders canceled`);
    } catch (error) {
      this.toasts.show("bad", "Orders not canceled", textOf(error));
    }
  }

  #announcePlaced(order: Order): void {
    // Trades, rejections and ends are announced with their executions.
    if (order.status === "new") this.toasts.show("good", "Order placed", describe(order));
  }

  /** Tells of what happened to orders without being asked for just now. */
  #announce(executions: readonly Execution[]): void {
    const traded = new Map<string, Execution[]>();
    for (const execution of executions) {
      const { order, type, reason } = execution;
      if (type === "trade") traded.set(order.orderId, [...(traded.get(order.orderId) ?? []), execution]);
      else if (type === "expired") this.toasts.show("plain", "Order expired", describe(order));
      else if (type === "canceled" && !ASKED_FOR.has(reason)) {
        this.toasts.show("bad", "Order canceled", `${describe(order)}: ${reasonWords(reason)}.`);
      }
    }
    for (const fills of traded.values()) this.#announceFills(fills);
  }

  #announceFills(fills: readonly Execution[]): void {
    const last = fills.at(-1);
    if (last === undefined) return;
    const { order } = last;
    const instrument = this.instruments.find(order.symbol);
    const what = instrument?.baseAsset ?? order.symbol;
    const quote = instrument?.quoteAsset ?? "";
    const verb = order.side === "buy" ? "Bought" : "Sold";
    const title = order.status === "filled" ? "Order filled" : "Order partly filled";
    const parts = fills.map(({ lastQuantity = "0", lastPrice = "0" }) => ({ lastQuantity, lastPrice }));
    const text =
      parts.length === 1 && parts[0] !== undefined
        ? `${verb} ${exact(parts[0].lastQuantity)} ${what} at ${exact(parts[0].lastPrice)}`
        : `${verb} ${exact(order.filledQuantity)} ${what} for ${amount(multiply(order.filledQuantity, order.averagePrice), quote)} ${quote}`;
    this.toasts.show("good", title, text);
  }
}

const ASKED_FOR = new Set(["USER_CANCELED", "MASS_CANCELED"]);

/** Describes an order in a line: `Buy 0.5 BTC-USD at 60,000`. */
export function describe(order: Order): string {
  const side = order.side === "buy" ? "Buy" : "Sell";
  const quantity = order.quantity ?? order.quoteQuantity ?? "0";
  const price = order.price === undefined ? "at market" : `at ${exact(order.price)}`;
  return `${side} ${exact(quantity)} ${order.symbol} ${price}`;
}
