import { describe, expect, it } from "vitest";
import { estimate, feeRate, notionalOf, profitAt, quantityFor, quantityForPercent, quoteForPercent, quoteStep } from "../src/domain/estimate.js";
import { validate } from "../src/domain/validation.js";
import { BTC_USD, conditions, draft } from "./samples.js";

const RATES = { makerFeeRate: "0.001", takerFeeRate: "0.002" };
const ASKS = [
  { price: "100", quantity: "1" },
  { price: "101", quantity: "2" },
];

it("adds the fee to a purchase and takes it off a sale", () => {
  expect(estimate("buy", "100", "0.002")).toEqual({ notional: "100", fee: "0.2", total: "100.2" });
  expect(estimate("sell", "100", "0.002")).toEqual({ notional: "100", fee: "0.2", total: "99.8" });
});

it("reckons with the higher fee, unless the order cannot take", () => {
  expect([feeRate(RATES, "off"), feeRate(RATES, "reject"), feeRate(RATES, "reprice")]).toEqual(["0.002", "0.001", "0.001"]);
});

describe("a market order", () => {
  it("walks the book", () => {
    expect(notionalOf(ASKS, "1.5")).toBe("150.5");
    expect(notionalOf(ASKS, "3")).toBe("302");
  });

  it("is not known when the book has less", () => {
    expect(notionalOf(ASKS, "3.1")).toBeUndefined();
    expect(notionalOf([], "1")).toBeUndefined();
  });

  it("buys what an amount is good for", () => {
    expect(quantityFor(ASKS, "150.5")).toBe("1.5");
    expect(quantityFor(ASKS, "1000")).toBe("3");
  });
});

describe("a percentage of what is available", () => {
  it.each(["25", "50", "75", "100"])("%s % of a purchase passes the check", (percent) => {
    const quantity = quantityForPercent(BTC_USD, "buy", "10000", percent, RATES, "60000.01", []);
    expect(validate(draft({ price: "60000.01", quantity }), conditions({ availableQuote: "10000" }))).toEqual({});
  });

  it("uses everything but the fee and less than a lot", () => {
    expect(quantityForPercent(BTC_USD, "buy", "10000", "100", RATES, "60000", [])).toBe("0.1663");
    expect(quantityForPercent(BTC_USD, "sell", "1.23456", "50", RATES, "60000", [])).toBe("0.6172");
  });

  it("never exceeds the greatest order", () => {
    expect(quantityForPercent(BTC_USD, "sell", "5000", "100", RATES, undefined, [])).toBe("1000");
  });

  it("is nothing without a price", () => {
    expect(quantityForPercent(BTC_USD, "buy", "10000", "50", RATES, "0", [])).toBe("0");
  });

  it("leaves room for the fee of an order by amount", () => {
    expect(quoteForPercent(BTC_USD, "10000", "100", RATES)).toBe("9980.03");
  });
});

it("has as many decimals of quote as tick and lot together", () => {
  expect(quoteStep(BTC_USD)).toBe("0.000001");
  expect(quoteStep({ ...BTC_USD, tickSize: "1", lotSize: "1" })).toBe("1");
});

it("values a position, also a short one", () => {
  expect(profitAt("0.5", "60000", "60100.5")).toBe("50.25");
  expect(profitAt("-0.5", "60000", "60100.5")).toBe("-50.25");
});
