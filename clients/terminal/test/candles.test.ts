import { expect, it } from "vitest";
import { withTrade } from "../src/domain/candles.js";
import type { Candle, Trade } from "../src/domain/types.js";

const MINUTE = 60_000;
const CANDLE: Candle = { openTime: MINUTE, open: "100", high: "110", low: "90", close: "105", volume: "1" };

const trade = (time: number, price: string): Trade => ({
  tradeId: 1n,
  symbol: "BTC-USD",
  price,
  quantity: "0.1",
  takerSide: "buy",
  time,
});

it("changes the candle in which it falls", () => {
  expect(withTrade(CANDLE, trade(MINUTE + 59_999, "120"), "1m")).toEqual({ ...CANDLE, high: "120", close: "120", volume: "1.1" });
  expect(withTrade(CANDLE, trade(MINUTE, "80"), "1m")).toMatchObject({ low: "80", close: "80" });
});

it("compares as decimals, not as text", () => {
  expect(withTrade({ ...CANDLE, high: "99.5" }, trade(MINUTE, "100.5"), "1m")).toMatchObject({ high: "100.5" });
});

it("begins the next one, and the first", () => {
  const next = { openTime: 2 * MINUTE, open: "101", high: "101", low: "101", close: "101", volume: "0.1" };
  expect(withTrade(CANDLE, trade(2 * MINUTE + 1, "101"), "1m")).toEqual(next);
  expect(withTrade(undefined, trade(2 * MINUTE + 1, "101"), "1m")).toEqual(next);
});

it("leaves out what is too old", () => {
  expect(withTrade(CANDLE, trade(MINUTE - 1, "101"), "1m")).toBeUndefined();
});

it("begins a day at midnight UTC", () => {
  const noon = Date.UTC(2026, 10, 22, 12);
  expect(withTrade(undefined, trade(noon, "1"), "1d")?.openTime).toBe(Date.UTC(2026, 10, 22));
});
