import { describe, expect, it } from "vitest";
import { groupingSteps, groupLevels, ladderOf, ownQuantities } from "../src/domain/book.js";
import type { Book } from "../src/domain/types.js";
import { order } from "./samples.js";

const BOOK: Book = {
  symbol: "BTC-USD",
  bids: [
    { price: "100.09", quantity: "1" },
    { price: "100.04", quantity: "2" },
    { price: "99.98", quantity: "0.5" },
  ],
  asks: [
    { price: "100.11", quantity: "0.1" },
    { price: "100.19", quantity: "0.2" },
    { price: "100.31", quantity: "3" },
  ],
};

describe("groupLevels", () => {
  it("rounds bids down and asks up, so that no group is better than its levels", () => {
    expect(groupLevels(BOOK.bids, "buy", "0.1")).toEqual([
      { price: "100", quantity: "3" },
      { price: "99.9", quantity: "0.5" },
    ]);
    expect(groupLevels(BOOK.asks, "sell", "0.1")).toEqual([
      { price: "100.2", quantity: "0.3" },
      { price: "100.4", quantity: "3" },
    ]);
  });

  it("adds exactly", () => {
    const dust = Array.from({ length: 10 }, (_, index) => ({ price: `100.0${9 - index}`, quantity: "0.1" }));
    expect(groupLevels(dust, "buy", "0.1")).toEqual([{ price: "100", quantity: "1" }]);
  });
});

describe("ladderOf", () => {
  it("sums up from the best price and compares with the deeper side", () => {
    const ladder = ladderOf(BOOK, [], "0.01", 10);
    expect(ladder.bids.map(({ cumulative }) => cumulative)).toEqual(["1", "3", "3.5"]);
    expect(ladder.asks.map(({ cumulative }) => cumulative)).toEqual(["0.1", "0.3", "3.3"]);
    expect(ladder.bids.at(-1)?.depth).toBe(1);
    expect(ladder.asks.at(-1)?.depth).toBe(0.9428);
  });

  it("has the spread of the book, whatever the step", () => {
    expect(ladderOf(BOOK, [], "1", 10)).toMatchObject({ spread: "0.02", spreadBasisPoints: "1.9" });
  });

  it("has no spread without both sides, and no rows of an empty book", () => {
    const empty = { symbol: "BTC-USD", bids: [], asks: [] };
    expect(ladderOf(empty, [], "0.01", 10)).toEqual({ bids: [], asks: [], levels: 0, spread: undefined, spreadBasisPoints: undefined });
    expect(ladderOf({ ...empty, bids: BOOK.bids }, [], "0.01", 10).spread).toBeUndefined();
  });

  it("shows at most so many rows", () => {
    expect(ladderOf(BOOK, [], "0.01", 2).asks).toHaveLength(2);
  });

  it("marks what works of one's own orders at a price, in its group", () => {
    const orders = [
      order({ price: "100.04", leavesQuantity: "0.5" }),
      order({ orderId: "2", price: "100.09", leavesQuantity: "0.25" }),
      order({ orderId: "3", price: "100.04", leavesQuantity: "9", side: "sell" }),
      order({ orderId: "4", price: "100.04", leavesQuantity: "9", symbol: "ETH-USD" }),
      order({ orderId: "5", price: "100.04", leavesQuantity: "9", status: "canceled" }),
    ];
    expect(ladderOf(BOOK, orders, "0.01", 10).bids.map(({ own }) => own)).toEqual(["0.25", "0.5", "0"]);
    expect(ownQuantities(orders, "BTC-USD", "buy", "0.1")).toEqual(new Map([["100", "0.75"]]));
  });
});

it("groups by the tick and its multiples", () => {
  expect(groupingSteps("0.01")).toEqual(["0.01", "0.1", "1", "10", "100"]);
  expect(groupingSteps("5")).toEqual(["5", "50", "500", "5000", "50000"]);
});
