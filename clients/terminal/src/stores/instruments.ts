/** The instruments, which of them is looked at, and the last price of each. */
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { add, compare } from "../money/decimal.js";
import type { Instrument, Ticker, Trade } from "../domain/types.js";
import type { Stop, Venue } from "../venue/venue.js";
import { failed, LOADING, READY, type Loading } from "./loading.js";

/** For so many instruments the day's figures are fetched; the others get their price with the first trade. */
const TICKERS_MAX = 25;
const FOLLOWED_MAX = 100;

export class InstrumentStore {
  readonly loading = signal<Loading>(LOADING);
  readonly all = signal<readonly Instrument[]>([]);
  readonly symbol = signal("");
  /** The instrument that is looked at; undefined until the list is there. */
  readonly current: ReadonlySignal<Instrument | undefined>;
  readonly #tickers = new Map<string, Signal<Ticker>>();
  #stop: Stop | undefined;

  constructor(private readonly venue: Venue) {
    this.current = computed(() => this.all.value.find(({ symbol }) => symbol === this.symbol.value));
  }

  /** Figures of an instrument; empty ones before they are known. */
  ticker(symbol: string): Signal<Ticker> {
    let ticker = this.#tickers.get(symbol);
    if (ticker === undefined) {
      ticker = signal<Ticker>({ symbol, volume: "0" });
      this.#tickers.set(symbol, ticker);
    }
    return ticker;
  }

  find(symbol: string): Instrument | undefined {
    return this.all.value.find((instrument) => instrument.symbol === symbol);
  }

  async load(): Promise<void> {
    this.loading.value = LOADING;
    try {
      const all = await this.venue.instruments();
      if (all.length === 0) throw new Error("The venue has no instruments yet.");
      this.all.value = all;
      if (!all.some(({ symbol }) => symbol === this.symbol.peek())) {
        // What trades is more use to begin with than what was halted.
        this.symbol.value = (all.find(({ status }) => status === "trading") ?? all[0])?.symbol ?? "";
      }
      this.loading.value = READY;
      this.#follow(all.map(({ symbol }) => symbol));
      await this.#fetchTickers();
    } catch (error) {
      this.loading.value = failed(error);
    }
  }

  /** Fetches the list and the day's figures again: an instrument may have been halted, or be new. */
  async refresh(): Promise<void> {
    try {
      const all = await this.venue.instruments();
      if (all.length === 0) return;
      const known = this.all.peek();
      this.all.value = all;
      if (known.length !== all.length) this.#follow(all.map(({ symbol }) => symbol));
      await this.#fetchTickers();
    } catch {
      // What is known stays.
    }
  }

  dispose(): void {
    this.#stop?.();
  }

  async #fetchTickers(): Promise<void> {
    const symbols = this.all.peek().slice(0, TICKERS_MAX);
    await Promise.all(symbols.map(({ symbol }) => this.#fetchTicker(symbol)));
  }

  async #fetchTicker(symbol: string): Promise<void> {
    try {
      this.ticker(symbol).value = await this.venue.ticker(symbol);
    } catch {
      // The trades bring the price all the same.
    }
  }

  #follow(symbols: readonly string[]): void {
    this.#stop?.();
    this.#stop = this.venue.followTrades(symbols.slice(0, FOLLOWED_MAX), (trades) => {
      for (const trade of trades) this.#traded(trade);
    });
  }

  #traded({ symbol, price, quantity }: Trade): void {
    const ticker = this.ticker(symbol);
    const { highPrice, lowPrice, openPrice, volume } = ticker.peek();
    ticker.value = {
      symbol,
      lastPrice: price,
      openPrice: openPrice ?? price,
      highPrice: highPrice === undefined || compare(price, highPrice) > 0 ? price : highPrice,
      lowPrice: lowPrice === undefined || compare(price, lowPrice) < 0 ? price : lowPrice,
      volume: add(volume, quantity),
    };
  }
}
