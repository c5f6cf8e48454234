import { describe, expect, it } from "vitest";
import { add, big, decimalsOf, divide, isDecimal, isMultiple, multiply, roundDown, roundUp, share } from "../src/money/decimal.js";
import { amount, exact, fixed, percentChange, signed } from "../src/money/format.js";

describe("decimals", () => {
  it("are exact where floats are not", () => {
    expect(add("0.1", "0.2")).toBe("0.3");
    expect(multiply("60000.01", "0.000001")).toBe("0.06000001");
    expect(isMultiple("0.3", "0.1")).toBe(true);
    expect(isMultiple("60000.015", "0.01")).toBe(false);
  });

  it("take no number", () => {
    expect(() => big(0.1 as never)).toThrow(TypeError);
  });

  it("round to steps", () => {
    expect(roundDown("0.00129", "0.0005")).toBe("0.001");
    expect(roundUp("0.00129", "0.0005")).toBe("0.0015");
    expect(roundUp("0.0015", "0.0005")).toBe("0.0015");
    expect(divide("1", "3")).toBe("0.333333333333333333333333");
  });

  it("know their places", () => {
    expect([decimalsOf("0.01"), decimalsOf("5"), decimalsOf("0.000001"), decimalsOf("1.50")]).toEqual([2, 0, 6, 1]);
  });

  it("never have an exponent", () => {
    expect(multiply("0.00000001", "0.00000001")).toBe("0.0000000000000001");
    expect(multiply("1000000000000", "1000000000000")).toBe("1000000000000000000000000");
  });

  it.each([
    ["1", true],
    ["1.5", true],
    ["", false],
    [".5", false],
    ["1.", false],
    ["-1", false],
    ["1e3", false],
    ["1,5", false],
  ])("%j is one: %s", (text, is) => {
    expect(isDecimal(text)).toBe(is);
  });

  it("become a share for a bar", () => {
    expect(share("1", "3")).toBe(0.3333);
    expect(share("5", "3")).toBe(1);
    expect(share("1", "0")).toBe(0);
  });
});

describe("format", () => {
  it("groups thousands and keeps places", () => {
    expect(fixed("1234567.5", 2)).toBe("1,234,567.50");
    expect(fixed("999", 0)).toBe("999");
    expect(exact("1234567.123456789")).toBe("1,234,567.123456789");
    expect(exact("1000")).toBe("1,000");
  });

  it("cuts and does not round up: nobody sees more than there is", () => {
    expect(fixed("0.999", 2)).toBe("0.99");
    expect(fixed("-0.999", 2)).toBe("\u22120.99");
    expect(fixed("-0.001", 2)).toBe("0.00");
  });

  it("shows amounts as people expect of an asset", () => {
    expect(amount("99399.41239", "USD")).toBe("99,399.41");
    expect(amount("0.51000000", "BTC")).toBe("0.51");
    expect(amount("10", "BTC")).toBe("10");
    expect(amount("0.000000001", "BTC")).toBe("0");
  });

  it("says the sign of a profit", () => {
    expect([signed("12.5", 2), signed("-3.1", 2), signed("0", 2)]).toEqual(["+12.50", "\u22123.10", "0.00"]);
  });

  it("says a change in percent", () => {
    expect(percentChange("100", "101.236")).toBe("+1.24%");
    expect(percentChange("100", "99")).toBe("\u22121.00%");
    expect(percentChange("100", "100.001")).toBe("0.00%");
    expect(percentChange("0", "1")).toBe("\u2013");
  });
});
