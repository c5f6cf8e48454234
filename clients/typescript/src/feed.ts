/**
 * Market data as it comes: order books that keep themselves, and trades.
 *
 * `MarketStream` hands out every message. `MarketFeed` reads it at its own pace and hands out what
 * changed since the reader asked last: a slow reader gets fewer, merged updates, and memory is
 * bounded whatever it does.
 */

import { create } from "@bufbuild/protobuf";

import { type Book, DEPTH_MAX, DEPTH_MIN, LocalBook, OutOfSync } from "./book.js";
import type { Channel } from "./channel.js";
import { checkFields, type FieldsOf } from "./fields.js";
import { BookCorrupted, ClientClosed, ConfigurationError, Unavailable } from "./errors.js";
import {
  MarketDataService,
  StreamMarketDataRequestSchema,
  type StreamMarketDataResponse,
} from "./gen/tradewire/v1/market_data_service_pb.js";
import type { Trade } from "./gen/tradewire/v1/market_pb.js";
import { type Plumbing, SupervisedStream } from "./stream.js";
import { sleep } from "./world.js";

/** What is followed. */
export interface FeedOptions {
  /** Levels per side: 1 to 1000, 10 unless given. */
  readonly depth?: number | undefined;
  /** Leave the books out. */
  readonly withoutBook?: boolean | undefined;
  /** Leave the trades out. */
  readonly withoutTrades?: boolean | undefined;
}

const FEED_OPTIONS: FieldsOf<FeedOptions> = { depth: true, withoutBook: true, withoutTrades: true };

/** What changed in an instrument. */
export interface MarketUpdate {
  readonly symbol: string;
  /** The book after the change; absent when it did not change. */
  readonly book?: Book;
  /** Trades since the update before, in ascending number. */
  readonly trades: readonly Trade[];
  /** Trades left out because they were not read in time. */
  readonly tradesSkipped: number;
}

/** One message: what changed, or that every instrument has been sent. */
export type MarketChange = MarketUpdate | "caught up";

// Fresh snapshots in a row that do not help before the copy is given up.
const RESYNCS_MAX = 3;
const RESYNC_PAUSE_MS = 200;
// Trades of an instrument that wait for a slow reader.
const TRADES_MAX = 1_000;

/** Every message of the stream, books assembled. */
export class MarketStream extends SupervisedStream<StreamMarketDataResponse, MarketChange> {
  private books = new Map<string, LocalBook>();
  private resyncsInARow = 0;
  private resyncs = 0;
  private readonly depth: number;

  /** @internal */
  constructor(
    private readonly channel: Channel,
    private readonly symbols: readonly string[],
    private readonly options: FeedOptions,
    plumbing: Plumbing,
  ) {
    super(plumbing, "marketData");
    checkFields(options, FEED_OPTIONS, "options");
    this.depth = checkedDepth(options.depth ?? DEPTH_MIN);
  }

  /** How often a copy of a book was lost and taken anew. */
  get resyncCount(): number {
    return this.resyncs;
  }

  protected override async beforeReopening(): Promise<void> {
    const { world } = this.plumbing;
    if (this.resyncsInARow > 0) {
      await sleep(world, this.resyncsInARow * world.random() * RESYNC_PAUSE_MS);
    }
  }

  protected override open(signal: AbortSignal): AsyncIterable<StreamMarketDataResponse> {
    // Each opening begins with snapshots.
    const depth = Math.max(this.depth, DEPTH_MIN);
    this.books = new Map(this.symbols.map((symbol) => [symbol, new LocalBook(symbol, depth)]));
    const { withoutBook = false, withoutTrades = false } = this.options;
    const request = { symbols: [...this.symbols], depth, withoutBook, withoutTrades };
    return this.channel.stream(
      MarketDataService.method.streamMarketData,
      create(StreamMarketDataRequestSchema, request),
      signal,
    );
  }

  protected override accept(
    message: StreamMarketDataResponse,
    handOut: (item: MarketChange) => void,
  ): void {
    const { event } = message;
    if (event.case === "caughtUp") {
      handOut("caught up");
    }
    if (event.case !== "batch") {
      return;
    }
    const { book: change, trades } = event.value;
    const symbol = change?.symbol ?? trades[0]?.symbol ?? "";
    let book: Book | undefined;
    try {
      const local = this.books.get(symbol);
      if (change !== undefined && local !== undefined) {
        local.apply(change);
        book = local.view(this.depth);
        // The copy held: a later mismatch is another accident.
        this.resyncsInARow = change.snapshot ? this.resyncsInARow : 0;
      }
    } catch (error) {
      if (!(error instanceof OutOfSync)) {
        throw error;
      }
      this.resync(error);
    }
    if (book !== undefined || trades.length > 0) {
      handOut({ symbol, trades, tradesSkipped: 0, ...(book === undefined ? {} : { book }) });
    }
  }

  private resync(error: OutOfSync): void {
    this.resyncsInARow += 1;
    this.resyncs += 1;
    if (this.resyncsInARow > RESYNCS_MAX) {
      throw new BookCorrupted(
        `${String(this.resyncsInARow)} copies in a row failed their check, the last one: ${error.message}`,
        { cause: error },
      );
    }
    this.reopen(error);
  }
}

/** What changed since the reader asked last; see the head of this file. */
export class MarketFeed implements AsyncIterableIterator<MarketUpdate, undefined> {
  private readonly pending = new Map<string, MarketUpdate>();
  private pump: Promise<void> | undefined;
  private wake: (() => void) | undefined;
  private failure: unknown;
  private over = false;

  /** @internal */
  constructor(private readonly stream: MarketStream) {}

  /** How often a copy of a book was lost and taken anew. */
  get resyncCount(): number {
    return this.stream.resyncCount;
  }

  /** How often the stream ended and went on. */
  get resumeCount(): number {
    return this.stream.resumeCount;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<MarketUpdate, undefined>> {
    this.pump ??= this.run();
    for (;;) {
      const [first] = this.pending;
      if (first !== undefined) {
        this.pending.delete(first[0]);
        return { done: false, value: first[1] };
      }
      if (this.failure !== undefined) {
        throw this.failure as Error;
      }
      if (this.over) {
        return { done: true, value: undefined };
      }
      if (this.wake !== undefined) {
        throw new ConfigurationError("one reader at a time can read a feed");
      }
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  return(): Promise<IteratorResult<MarketUpdate, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** End the feed; iteration over it stops. */
  close(): void {
    this.stream.close();
    this.pending.clear();
    this.over = true;
    this.awake();
  }

  private async run(): Promise<void> {
    try {
      for await (const change of this.stream) {
        if (change !== "caught up") {
          this.pending.set(change.symbol, merged(this.pending.get(change.symbol), change));
          this.awake();
        }
      }
    } catch (error) {
      this.failure = error instanceof ClientClosed ? undefined : error;
    }
    this.over = true;
    this.awake();
  }

  private awake(): void {
    const { wake } = this;
    this.wake = undefined;
    wake?.();
  }
}

/** An order book as it changes: each item is the book as it is when it is asked for. */
export class BookFeed implements AsyncIterableIterator<Book, undefined> {
  /** @internal */
  constructor(private readonly feed: MarketFeed) {}

  /** How often the copy was lost and taken anew. */
  get resyncCount(): number {
    return this.feed.resyncCount;
  }

  /** How often the stream ended and went on. */
  get resumeCount(): number {
    return this.feed.resumeCount;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Book, undefined>> {
    for (;;) {
      const { done, value } = await this.feed.next();
      if (done === true) {
        return { done: true, value: undefined };
      }
      if (value.book !== undefined) {
        return { done: false, value: value.book };
      }
    }
  }

  return(): Promise<IteratorResult<Book, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** End the feed; iteration over it stops. */
  close(): void {
    this.feed.close();
  }
}

/** Trades after a number, or from now on, each exactly once: what the stream left out is fetched. */
export async function* everyTrade(
  stream: MarketStream,
  afterTradeId: bigint | undefined,
  fetch: (afterTradeId: bigint | undefined) => Promise<readonly Trade[]>,
): AsyncGenerator<Trade, undefined> {
  let last = afterTradeId;
  try {
    for await (const change of stream) {
      const batch = change === "caught up" ? [] : change.trades;
      const first = batch[0]?.tradeId;
      // From now: what is in the newest message, or after the newest trade that there is.
      last ??= first === undefined ? ((await fetch(undefined)).at(-1)?.tradeId ?? 0n) : first - 1n;
      while (first === undefined || last < first - 1n) {
        const page: readonly Trade[] = await fetch(last);
        if (page.length === 0 && first !== undefined) {
          throw new Unavailable(
            `trades ${String(last + 1n)} to ${String(first - 1n)} cannot be fetched`,
          );
        }
        for (const trade of page) {
          if (trade.tradeId > last) {
            last = trade.tradeId;
            yield trade;
          }
        }
        if (page.length === 0) {
          break;
        }
      }
      for (const trade of batch) {
        if (trade.tradeId > last) {
          last = trade.tradeId;
          yield trade;
        }
      }
    }
  } finally {
    stream.close();
  }
  return undefined;
}

/** @throws ConfigurationError if a book cannot have so many levels. */
export function checkedDepth(depth: number): number {
  if (!Number.isInteger(depth) || depth < 1 || depth > DEPTH_MAX) {
    throw new ConfigurationError(`depth is 1 to ${String(DEPTH_MAX)}, not ${String(depth)}`);
  }
  return depth;
}

function merged(before: MarketUpdate | undefined, change: MarketUpdate): MarketUpdate {
  const trades = [...(before?.trades ?? []), ...change.trades];
  const skipped = Math.max(trades.length - TRADES_MAX, 0);
  const book = change.book ?? before?.book;
  return {
    symbol: change.symbol,
    trades: trades.slice(skipped),
    tradesSkipped: (before?.tradesSkipped ?? 0) + skipped,
    ...(book === undefined ? {} : { book }),
  };
}
