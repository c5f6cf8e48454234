/**
 * Public market data: instruments, books, trades and candles. No credential is needed.
 */

import { type Book, bookOf, DEPTH_MIN } from "./book.js";
import { CALL_OPTIONS, type Caller, type CallOptions, checkCallOptions } from "./caller.js";
import type { Channel } from "./channel.js";
import { ProtocolViolation } from "./errors.js";
import {
  BookFeed,
  checkedDepth,
  everyTrade,
  type FeedOptions,
  MarketFeed,
  MarketStream,
} from "./feed.js";
import { checkFields, type FieldsOf } from "./fields.js";
import { MarketDataService } from "./gen/tradewire/v1/market_data_service_pb.js";
import {
  type Candle,
  CandleInterval,
  type Instrument,
  type Ticker,
  type Trade,
} from "./gen/tradewire/v1/market_pb.js";
import { type TimeInput, times } from "./inputs.js";
import { Pages } from "./pages.js";
import type { Plumbing } from "./stream.js";

const INTERVALS: Readonly<Record<CandleIntervalInput, CandleInterval>> = {
  "1m": CandleInterval.CANDLE_INTERVAL_1M,
  "5m": CandleInterval.CANDLE_INTERVAL_5M,
  "15m": CandleInterval.CANDLE_INTERVAL_15M,
  "1h": CandleInterval.CANDLE_INTERVAL_1H,
  "4h": CandleInterval.CANDLE_INTERVAL_4H,
  "1d": CandleInterval.CANDLE_INTERVAL_1D,
};
const TRADES_PAGE = 1_000;

/** The length of a candle, e.g. `"1m"`. */
export type CandleIntervalInput = "1m" | "5m" | "15m" | "1h" | "4h" | "1d";

/** How deep a book is. */
export interface BookOptions {
  /** Levels per side: 1 to 1000, 10 unless given. */
  readonly depth?: number | undefined;
}

/** Which trades are meant. */
export interface TradesAfter {
  /** Trades with a greater number; the newest, or those from now on, unless given. */
  readonly afterTradeId?: bigint | undefined;
}

/** Which page of trades is meant. */
export interface TradesOptions extends CallOptions, TradesAfter {
  /** Greatest number of trades: 1 to 1000, 100 unless given. */
  readonly pageSize?: number | undefined;
}

/** Which candles are meant. */
export interface CandlesOptions extends CallOptions {
  readonly startTime?: TimeInput | undefined;
  readonly endTime?: TimeInput | undefined;
  readonly pageSize?: number | undefined;
}

const BOOK_OPTIONS: FieldsOf<BookOptions> = { depth: true };
const TRADES_AFTER: FieldsOf<TradesAfter> = { afterTradeId: true };
const TRADES_OPTIONS: FieldsOf<TradesOptions> = {
  ...CALL_OPTIONS,
  ...TRADES_AFTER,
  pageSize: true,
};
const CANDLES_OPTIONS: FieldsOf<CandlesOptions> = {
  ...CALL_OPTIONS,
  startTime: true,
  endTime: true,
  pageSize: true,
};

export class Market {
  /** @internal */
  constructor(
    private readonly caller: Caller,
    private readonly streams: Channel,
    private readonly plumbing: Plumbing,
  ) {}

  /** The instruments and their rules, by symbol. */
  instruments(options: CallOptions = {}): Pages<Instrument> {
    checkCallOptions(options);
    const { listInstruments } = MarketDataService.method;
    return new Pages(async (pageToken) => {
      const page = await this.caller.call(listInstruments, { pageToken }, options);
      return { items: page.instruments, next: page.nextPageToken };
    });
  }

  /**
   * One instrument.
   *
   * @throws NotFound if there is none of this symbol.
   */
  async instrument(symbol: string, options: CallOptions = {}): Promise<Instrument> {
    checkCallOptions(options);
    const { getInstrument } = MarketDataService.method;
    return present((await this.caller.call(getInstrument, { symbol }, options)).instrument);
  }

  /**
   * Follow books and trades of instruments with one stream. Each item says what changed in one of
   * them since the reader asked last: who reads slowly gets fewer, merged updates.
   */
  follow(symbols: readonly string[], options: FeedOptions = {}): MarketFeed {
    return new MarketFeed(new MarketStream(this.streams, symbols, options, this.plumbing));
  }

  /**
   * Follow an order book. The copy is kept from a snapshot and updates, checked by sequence and
   * checksum, and taken anew by itself when it is lost.
   */
  book(symbol: string, options: BookOptions = {}): BookFeed {
    checkFields(options, BOOK_OPTIONS, "options");
    return new BookFeed(this.follow([symbol], { ...options, withoutTrades: true }));
  }

  /** The best levels of a book as they are now. */
  async getBook(
    symbol: string,
    options: CallOptions & BookOptions = {},
  ): Promise<Book> {
    checkCallOptions(options, { ...CALL_OPTIONS, ...BOOK_OPTIONS });
    const depth = checkedDepth(options.depth ?? DEPTH_MIN);
    const { getOrderBook } = MarketDataService.method;
    const request = { symbol, depth: Math.max(depth, DEPTH_MIN) };
    return bookOf(present((await this.caller.call(getOrderBook, request, options)).book), depth);
  }

  /** The newest trades, or those after a number, in ascending order. */
  async trades(
    symbol: string,
    options: TradesOptions = {},
  ): Promise<Trade[]> {
    checkCallOptions(options, TRADES_OPTIONS);
    const { afterTradeId, pageSize = 100 } = options;
    const place = afterTradeId === undefined ? {} : { afterTradeId };
    const request = { symbol, pageSize, ...place };
    const { listTrades } = MarketDataService.method;
    return (await this.caller.call(listTrades, request, options)).trades;
  }

  /**
   * Trades as they happen, after a number or from now on, each exactly once: those that the stream
   * skips for slow readers and during disconnects are fetched by their numbers.
   */
  followTrades(
    symbol: string,
    options: TradesAfter = {},
  ): AsyncGenerator<Trade, undefined> {
    checkFields(options, TRADES_AFTER, "options");
    const stream = new MarketStream(this.streams, [symbol], { withoutBook: true }, this.plumbing);
    return everyTrade(stream, options.afterTradeId, (afterTradeId) =>
      this.trades(symbol, { afterTradeId, pageSize: afterTradeId === undefined ? 1 : TRADES_PAGE }),
    );
  }

  /** The last 24 hours in short. */
  async ticker(symbol: string, options: CallOptions = {}): Promise<Ticker> {
    checkCallOptions(options);
    const { getTicker } = MarketDataService.method;
    return present((await this.caller.call(getTicker, { symbol }, options)).ticker);
  }

  /** Candles, oldest first; intervals without a trade have none. */
  async candles(
    symbol: string,
    interval: CandleIntervalInput,
    options: CandlesOptions = {},
  ): Promise<Candle[]> {
    checkCallOptions(options, CANDLES_OPTIONS);
    const { startTime, endTime, pageSize = 0 } = options;
    const value = INTERVALS[interval];
    if (!Object.hasOwn(INTERVALS, interval)) {
      throw new TypeError(`interval is one of ${Object.keys(INTERVALS).join(", ")}`);
    }
    const { listCandles } = MarketDataService.method;
    const request = { symbol, interval: value, pageSize, ...times({ startTime, endTime }) };
    return (await this.caller.call(listCandles, request, options)).candles;
  }
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) {
    throw new ProtocolViolation("the answer is empty");
  }
  return value;
}
