/**
 * A copy of an order book, kept from a snapshot and its updates, and checked at each step.
 *
 * Pure: no stream, no clock. Every update names the state it continues, and carries the CRC32 of the
 * state it leads to, over the text `price:quantity` of bid 1, ask 1, bid 2, ask 2, ... of the best
 * ten levels, joined by `|`. The text is that of the message, so levels are kept as they came and
 * compared as decimals.
 *
 * The checksum covers ten levels whatever depth was asked for; so a copy has at least ten
 * (`DEPTH_MIN`).
 */

import { Decimal } from "./decimal.js";
import { ProtocolViolation } from "./errors.js";
import type { OrderBook, PriceLevel } from "./gen/tradewire/v1/market_pb.js";

export const DEPTH_MIN = 10;
export const DEPTH_MAX = 1000;

const CHECKED_LEVELS = 10;

/** All quantity at one price; both are decimals as text. */
export interface Level {
  readonly price: string;
  readonly quantity: string;
}

/** An order book at one moment, best levels first. */
export interface Book {
  readonly symbol: string;
  /** Life of the venue's process; sequences continue only within one epoch. */
  readonly epoch: bigint;
  /** Ascending number of this state. */
  readonly sequence: bigint;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

/** An update does not continue the copy, or leads to another state than the venue's. */
export class OutOfSync extends ProtocolViolation {}

/** The copy of one book. */
export class LocalBook {
  private readonly bids: Side;
  private readonly asks: Side;
  private epoch = 0n;
  private sequence: bigint | undefined;

  constructor(
    private readonly symbol: string,
    depth: number,
  ) {
    this.bids = new Side(-1, depth);
    this.asks = new Side(1, depth);
  }

  /**
   * Take a snapshot or an update.
   *
   * @throws OutOfSync if the copy is lost until the next snapshot.
   */
  apply(message: OrderBook): void {
    if (message.snapshot) {
      this.bids.clear();
      this.asks.clear();
    } else if (this.sequence === undefined) {
      throw new OutOfSync(`${this.symbol}: an update came before the first snapshot`);
    } else if (message.epoch !== this.epoch || message.previousSequence !== this.sequence) {
      const expected = `${String(this.epoch)}/${String(this.sequence)}`;
      const received = `${String(message.epoch)}/${String(message.previousSequence)}`;
      this.sequence = undefined;
      throw new OutOfSync(
        `${this.symbol}: an update continues ${received}, the copy is at ${expected}`,
      );
    }
    this.bids.update(message.bids);
    this.asks.update(message.asks);
    this.epoch = message.epoch;
    this.sequence = message.sequence;
    const computed = bookChecksum(this.bids.best(CHECKED_LEVELS), this.asks.best(CHECKED_LEVELS));
    if (computed !== message.checksum) {
      this.sequence = undefined;
      throw new OutOfSync(
        `${this.symbol}: checksum ${String(computed)} at ${String(message.sequence)}, ` +
          `the venue has ${String(message.checksum)}`,
      );
    }
  }

  /** The best levels as they are now; undefined before a snapshot. */
  view(depth: number): Book | undefined {
    return this.sequence === undefined
      ? undefined
      : {
          symbol: this.symbol,
          epoch: this.epoch,
          sequence: this.sequence,
          bids: this.bids.best(depth),
          asks: this.asks.best(depth),
        };
  }
}

/**
 * The best levels of a snapshot.
 *
 * @throws OutOfSync if its checksum does not fit.
 */
export function bookOf(message: OrderBook, depth: number): Book {
  const local = new LocalBook(message.symbol, DEPTH_MAX);
  local.apply({ ...message, snapshot: true });
  const view = local.view(depth);
  if (view === undefined) {
    throw new OutOfSync(`${message.symbol}: the snapshot has no sequence`);
  }
  return view;
}

/** The CRC32 (IEEE) over the best ten levels of each side, as the contract says. */
export function bookChecksum(bids: readonly Level[], asks: readonly Level[]): number {
  const texts: string[] = [];
  for (let place = 0; place < CHECKED_LEVELS; place += 1) {
    for (const level of [bids[place], asks[place]]) {
      if (level !== undefined) {
        texts.push(`${level.price}:${level.quantity}`);
      }
    }
  }
  return crc32(texts.join("|"));
}

interface Entry {
  readonly price: Decimal;
  readonly level: Level;
}

/** The levels of one side, best first, no more than `depth`. */
class Side {
  private entries: Entry[] = [];

  constructor(
    private readonly direction: 1 | -1,
    private readonly depth: number,
  ) {}

  clear(): void {
    this.entries = [];
  }

  update(levels: readonly PriceLevel[]): void {
    for (const { price, quantity } of levels) {
      this.put({ price: Decimal.from(price), level: { price, quantity } });
    }
    // A better level pushes the last one out of view without further notice.
    this.entries.length = Math.min(this.entries.length, this.depth);
  }

  best(depth: number): Level[] {
    return this.entries.slice(0, depth).map((entry) => entry.level);
  }

  private put(entry: Entry): void {
    const place = this.placeOf(entry.price);
    const found = this.entries[place]?.price.equals(entry.price) === true ? 1 : 0;
    const fresh = Decimal.from(entry.level.quantity).isZero ? [] : [entry];
    this.entries.splice(place, found, ...fresh);
  }

  /** The first place whose price is not better. */
  private placeOf(price: Decimal): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = (this.entries[middle]?.price.compare(price) ?? 0) * this.direction;
      [low, high] = order < 0 ? [middle + 1, high] : [low, middle];
    }
    return low;
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  }
  return value;
});

/** CRC32 (IEEE, as zlib) of ASCII text. */
function crc32(text: string): number {
  let value = 0xffffffff;
  for (let place = 0; place < text.length; place += 1) {
    value = (CRC_TABLE[(value ^ text.charCodeAt(place)) & 0xff] ?? 0) ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}
