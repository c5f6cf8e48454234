/** Candles that follow the trades. */
import { add, compare } from "../money/decimal.js";
import type { Candle, CandleInterval, Trade } from "./types.js";

const MINUTE = 60_000;

/** Length of each interval in milliseconds; intervals begin at multiples of it, UTC. */
export const INTERVALS: Readonly<Record<CandleInterval, number>> = {
  "1m": MINUTE,
  "5m": 5 * MINUTE,
  "15m": 15 * MINUTE,
  "1h": 60 * MINUTE,
  "4h": 240 * MINUTE,
  "1d": 1440 * MINUTE,
};

/** Returns the candle after a trade: the newest one changed, or the next one begun; undefined when it is too old. */
export function withTrade(newest: Candle | undefined, trade: Trade, interval: CandleInterval): Candle | undefined {
  const length = INTERVALS[interval];
  const openTime = Math.floor(trade.time / length) * length;
  const { price, quantity } = trade;
  if (newest === undefined || openTime > newest.openTime) {
    return { openTime, open: price, high: price, low: price, close: price, volume: quantity };
  }
  if (openTime < newest.openTime) return undefined;
  return {
    ...newest,
    high: compare(price, newest.high) > 0 ? price : newest.high,
    low: compare(price, newest.low) < 0 ? price : newest.low,
    close: price,
    volume: add(newest.volume, quantity),
  };
}
