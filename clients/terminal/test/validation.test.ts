import { describe, expect, it } from "vitest";
import { amendProblems, changesOf } from "../src/domain/amending.js";
import { instrumentProblem, validate } from "../src/domain/validation.js";
import { BTC_USD, conditions, draft, order, RULES } from "./samples.js";

describe("validate", () => {
  it("finds nothing wrong with an order that fits", () => {
    expect(validate(draft(), conditions())).toEqual({});
  });

  it.each([
    ["", "Enter a price, such as 100.50."],
    ["abc", "Enter a price as digits with a point, such as 100.50."],
    ["-1", "Enter a price as digits with a point, such as 100.50."],
    ["1e5", "Enter a price as digits with a point, such as 100.50."],
    ["60,000", "Enter a price as digits with a point, such as 100.50."],
    ["0", "Enter a price above zero."],
    ["60000.005", "The price moves in steps of 0.01: use 60,000 or 60,000.01."],
    ["0.001", "The price moves in steps of 0.01: use 0.01."],
    ["66000.01", "More than 10 % from the last trade at 60,000: use a nearer price."],
    ["53999.99", "More than 10 % from the last trade at 60,000: use a nearer price."],
  ])("says of the price %j what to do", (price, text) => {
    expect(validate(draft({ price }), conditions())).toEqual({ price: text });
  });

  it.each([
    ["", "Enter a quantity, such as 0.001."],
    ["0.00105", "The quantity moves in steps of 0.0001: use 0.001 or 0.0011."],
    ["0.0009", "The smallest order is 0.001 BTC."],
    ["1000.0001", "The greatest order is 1,000 BTC."],
    ["1000", "The order is worth 60,000,000.00 USD; at most 10,000,000.00 is taken."],
    ["0.2", "Needs 12,024.00 USD with its fee; 10,000.00 is available. Buy less, or cancel other orders."],
  ])("says of the quantity %j what to do", (quantity, text) => {
    expect(validate(draft({ quantity }), conditions())).toEqual({ quantity: text });
  });

  it("takes what the highest fee leaves, to the last unit", () => {
    const enough = conditions({ availableQuote: "601.2" });
    expect(validate(draft(), enough)).toEqual({});
    expect(validate(draft(), conditions({ availableQuote: "601.1999999999" }))).toHaveProperty("quantity");
  });

  it("asks of a limit order that it is worth the minimum", () => {
    const cheap = conditions({ lastPrice: undefined });
    expect(validate(draft({ price: "0.5", quantity: "1" }), cheap)).toEqual({
      quantity: "The order is worth 0.50 USD; at least 1.00 is needed.",
    });
  });

  it("lets nobody sell what is not there", () => {
    expect(validate(draft({ side: "sell", quantity: "2.0001" }), conditions())).toEqual({
      quantity: "Only 2 BTC is available: sell less, or cancel other sales.",
    });
    expect(validate(draft({ side: "sell", quantity: "2" }), conditions())).toEqual({});
  });

  it("has no band without a last price, or with one of zero", () => {
    const far = draft({ price: "1000", quantity: "0.01" });
    expect(validate(far, conditions({ lastPrice: undefined }))).toEqual({});
    expect(validate(far, conditions({ instrument: { ...BTC_USD, priceBandPercent: "0" } }))).toEqual({});
  });

  it("says everything at once", () => {
    expect(Object.keys(validate(draft({ price: "x", quantity: "y" }), conditions()))).toEqual(["price", "quantity"]);
  });

  it.each([
    [{ type: "market", timeInForce: "gtc" }, { timeInForce: "A market order never rests: choose IOC or FOK." }],
    [
      { type: "market", timeInForce: "fok", byAmount: true, quantity: "100" },
      { timeInForce: "A market order by amount has to be IOC." },
    ],
    [
      { timeInForce: "ioc", postOnly: "reject" },
      { postOnly: "A post-only order has to rest: choose GTC, DAY or GTD." },
    ],
    [{ timeInForce: "gtd" }, { expireTime: "Choose a date and time in the future." }],
    [{ timeInForce: "gtd", expireTime: 1_000 }, { expireTime: "Choose a date and time in the future." }],
    [{ timeInForce: "gtd", expireTime: 1_001 }, {}],
  ] as const)("knows what goes together: %j", (given, errors) => {
    expect(validate(draft(given), conditions())).toEqual(errors);
  });

  it("checks a market order by what it would trade for", () => {
    const market = draft({ type: "market", timeInForce: "ioc", price: "" });
    expect(validate(market, conditions({ marketNotional: "9999" }))).toHaveProperty("quantity");
    expect(validate(market, conditions({ marketNotional: "9980" }))).toEqual({});
    expect(validate(market, conditions())).toEqual({});
  });

  it.each([
    ["", "Enter an amount, such as 1."],
    ["0.5", "The order is worth 0.50 USD; at least 1.00 is needed."],
    ["1.0000001", "An amount has at most 6 decimals."],
    ["9990", "Needs 10,009.98 USD with its fee; 10,000.00 is available. Buy less, or cancel other orders."],
  ])("says of the amount %j what to do", (quantity, text) => {
    const byAmount = draft({ type: "market", timeInForce: "ioc", byAmount: true, price: "", quantity });
    expect(validate(byAmount, conditions())).toEqual({ quoteQuantity: text });
  });
});

describe("instrumentProblem", () => {
  it("lets trade what trades, and post-only orders where only those are taken", () => {
    expect(instrumentProblem(BTC_USD, "off")).toBeUndefined();
    expect(instrumentProblem({ ...BTC_USD, status: "post_only" }, "reject")).toBeUndefined();
  });

  it("says why not otherwise", () => {
    expect(instrumentProblem({ ...BTC_USD, status: "post_only" }, "off")).toBe(
      "BTC-USD takes post-only orders only. Set Post-only.",
    );
    expect(instrumentProblem({ ...BTC_USD, status: "halted" }, "off")).toContain("is halted");
  });
});

describe("amending", () => {
  const working = order({ price: "60000", quantity: "0.5", filledQuantity: "0.2" });

  it("needs more than what is filled", () => {
    expect(amendProblems({ price: "60000", quantity: "0.2" }, working, BTC_USD, RULES)).toEqual({
      quantity: "0.2 is filled already: use more than that, or cancel the order.",
    });
    expect(amendProblems({ price: "60000", quantity: "0.2001" }, working, BTC_USD, RULES)).toEqual({});
  });

  it("checks steps like a new order", () => {
    expect(Object.keys(amendProblems({ price: "60000.001", quantity: "x" }, working, BTC_USD, RULES))).toEqual([
      "price",
      "quantity",
    ]);
  });

  it("sends what differs in value, not in writing", () => {
    expect(changesOf({ price: "60000.00", quantity: "0.5" }, working)).toBeUndefined();
    expect(changesOf({ price: "60000.01", quantity: "0.50" }, working)).toEqual({ price: "60000.01" });
    expect(changesOf({ price: "60000", quantity: "0.4" }, working)).toEqual({ quantity: "0.4" });
  });
});
