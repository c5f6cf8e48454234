/** Book and trades of the instrument that is looked at. */
import { effect, signal } from "@preact/signals";
import { groupingSteps } from "../domain/book.js";
import type { Book, Trade } from "../domain/types.js";
import type { Decimal } from "../money/decimal.js";
import type { Stop, Venue } from "../venue/venue.js";
import type { InstrumentStore } from "./instruments.js";
import { failed, LOADING, READY, type Loading } from "./loading.js";

const TRADES_MAX = 100;

export class MarketStore {
  readonly loading = signal<Loading>(LOADING);
  readonly book = signal<Book | undefined>(undefined);
  /** Newest first. */
  readonly trades = signal<readonly Trade[]>([]);
  /** Step by which the ladder groups prices. */
  readonly step = signal<Decimal>("1");
  readonly #listeners = new Set<(trades: readonly Trade[]) => void>();
  readonly #unwatch: Stop;
  #stop: Stop | undefined;
  #symbol = "";

  constructor(
    private readonly venue: Venue,
    instruments: InstrumentStore,
  ) {
    this.#unwatch = effect(() => {
      const instrument = instruments.current.value;
      if (instrument !== undefined && instrument.symbol !== this.#symbol) {
        this.step.value = groupingSteps(instrument.tickSize)[0] ?? instrument.tickSize;
        this.#open(instrument.symbol);
      }
    });
  }

  /** Opens book and trades again, after a failure. */
  retry(): void {
    this.#open(this.#symbol);
  }

  /** Fetches the trades that were missed. */
  refresh(): void {
    if (this.#symbol !== "") void this.#fetchTrades(this.#symbol);
  }

  /** Tells of trades as they come; of those of the instrument that is looked at. */
  onTrades(listener: (trades: readonly Trade[]) => void): Stop {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  dispose(): void {
    this.#unwatch();
    this.#stop?.();
    this.#listeners.clear();
  }

  #open(symbol: string): void {
    this.#stop?.();
    this.#symbol = symbol;
    this.loading.value = LOADING;
    this.book.value = undefined;
    this.trades.value = [];
    this.#stop = this.venue.followMarket(
      symbol,
      {
        book: (book) => {
          this.book.value = book;
          if (this.loading.peek() !== READY) this.loading.value = READY;
        },
        trades: (trades) => {
          this.#add(trades);
          for (const listener of this.#listeners) listener(trades);
        },
      },
      (error) => {
        this.loading.value = failed(error);
      },
    );
    void this.#fetchTrades(symbol);
  }

  async #fetchTrades(symbol: string): Promise<void> {
    try {
      const trades = await this.venue.trades(symbol);
      if (symbol === this.#symbol) this.#add(trades);
    } catch {
      // The list begins with the next trade; the stream says if there is more amiss.
    }
  }

  /** Adds trades that may be there already, or be older than those that are. */
  #add(trades: readonly Trade[]): void {
    const known = this.trades.peek();
    const newest = known[0]?.tradeId ?? 0n;
    if (trades.every(({ tradeId }) => tradeId > newest)) {
      this.trades.value = [...trades.toReversed(), ...known].slice(0, TRADES_MAX);
      return;
    }
    const all = new Map([...known, ...trades].map((trade) => [trade.tradeId, trade]));
    this.trades.value = [...all.values()]
      .sort((left, right) => (left.tradeId < right.tradeId ? 1 : -1))
      .slice(0, TRADES_MAX);
  }
}
