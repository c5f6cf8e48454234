/** Candles of the instrument that is looked at, kept up to date by its trades. */
import { computed, effect, signal } from "@preact/signals";
import { withTrade } from "../domain/candles.js";
import type { Candle, CandleInterval, Trade } from "../domain/types.js";
import { ZERO } from "../money/decimal.js";
import type { Stop, Venue } from "../venue/venue.js";
import type { InstrumentStore } from "./instruments.js";
import { failed, LOADING, READY, type Loading } from "./loading.js";
import type { MarketStore } from "./market.js";

export class CandleStore {
  readonly loading = signal<Loading>(LOADING);
  readonly interval = signal<CandleInterval>("1m");
  /** All of them, set when they are fetched; what changes afterwards is in `newest`. */
  readonly history = signal<readonly Candle[]>([]);
  readonly newest = signal<Candle | undefined>(undefined);
  /** Trades that came while the history was being fetched. */
  #waiting: Trade[] | undefined;
  #lastTrade = 0n;
  #request = 0;
  readonly #stops: Stop[];

  constructor(
    private readonly venue: Venue,
    private readonly instruments: InstrumentStore,
    market: MarketStore,
  ) {
    // The instrument's rules may change; only another instrument has other candles.
    const chosen = computed(() => instruments.current.value?.symbol);
    this.#stops = [
      effect(() => {
        const symbol = chosen.value;
        const interval = this.interval.value;
        if (symbol === undefined) return;
        this.loading.value = LOADING;
        void this.#fetch(symbol, interval);
      }),
      market.onTrades((trades) => {
        if (this.#waiting !== undefined) this.#waiting.push(...trades);
        else this.#apply(trades);
      }),
    ];
  }

  /** Fetches them again after a failure. */
  retry(): void {
    this.loading.value = LOADING;
    this.refresh();
  }

  /** Fetches them again behind what is shown. */
  refresh(): void {
    const symbol = this.instruments.current.peek()?.symbol;
    if (symbol !== undefined) void this.#fetch(symbol, this.interval.peek());
  }

  dispose(): void {
    for (const stop of this.#stops) stop();
  }

  async #fetch(symbol: string, interval: CandleInterval): Promise<void> {
    const request = ++this.#request;
    this.#waiting = [];
    this.#lastTrade = 0n;
    try {
      const history = await this.venue.candles(symbol, interval);
      if (request !== this.#request) return;
      this.newest.value = undefined;
      this.history.value = history;
      this.newest.value = history.at(-1);
      this.loading.value = READY;
      // What came meanwhile may be in the history already: it moves the prices, which does no harm twice, and
      // adds nothing to the volume.
      this.#apply(this.#waiting.map((trade) => ({ ...trade, quantity: ZERO })));
    } catch (error) {
      if (request === this.#request) this.loading.value = failed(error);
    } finally {
      if (request === this.#request) this.#waiting = undefined;
    }
  }

  #apply(trades: readonly Trade[]): void {
    for (const trade of trades) {
      if (trade.tradeId <= this.#lastTrade) continue;
      this.#lastTrade = trade.tradeId;
      const candle = withTrade(this.newest.peek(), trade, this.interval.peek());
      if (candle !== undefined) this.newest.value = candle;
    }
  }
}
