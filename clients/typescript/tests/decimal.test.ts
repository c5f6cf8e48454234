import { describe, expect, test } from "vitest";

import { Decimal } from "../src/index.js";

describe("a decimal", () => {
  test.each([
    ["0", "0"],
    ["-0", "0"],
    ["007.50", "7.5"],
    ["1.000000000000000001", "1.000000000000000001"],
    ["-12.0", "-12"],
    ["123456789012345678.123456789012345678", "123456789012345678.123456789012345678"],
  ])("reads %s as %s", (text, canonical) => {
    expect(Decimal.from(text).toString()).toBe(canonical);
  });

  test.each(["", " 1", "1.", ".5", "1e3", "+1", "0x1", "1_000", "NaN", "1".repeat(200)])(
    "refuses %j",
    (text) => {
      expect(() => Decimal.from(text)).toThrow(TypeError);
    },
  );

  test.each([0.1, 1, Number.NaN, null, undefined, {}, true])("refuses %s, which is no text", (value) => {
    expect(() => Decimal.from(value as never)).toThrow(TypeError);
  });

  test("calculates exactly", () => {
    expect(String(Decimal.from("0.1").plus("0.2"))).toBe("0.3");
    expect(String(Decimal.from("100").minus("0.01"))).toBe("99.99");
    expect(String(Decimal.from("59997.44").times("0.057642"))).toBe("3458.37243648");
    expect(String(Decimal.from("1").dividedBy("3", 4))).toBe("0.3333");
    expect(String(Decimal.from("-1").dividedBy("3", 4, "up"))).toBe("-0.3334");
    expect(String(Decimal.from("2").dividedBy("-0.03", 2))).toBe("-66.67");
    expect(() => Decimal.from("1").dividedBy("0.00", 2)).toThrow(RangeError);
  });

  test("compares by value, not by text", () => {
    expect(Decimal.from("1.50").compare("1.5")).toBe(0);
    expect(Decimal.from("10").compare("9")).toBe(1);
    expect(Decimal.from("-0.02").compare("-0.01")).toBe(-1);
    expect(Decimal.from(2n).equals("2.0")).toBe(true);
    expect([Decimal.from("-3").sign, Decimal.zero.sign, Decimal.from("3").sign]).toEqual([-1, 0, 1]);
  });

  test("knows ticks", () => {
    expect(Decimal.from("100.25").isMultipleOf("0.01")).toBe(true);
    expect(Decimal.from("100.255").isMultipleOf("0.01")).toBe(false);
    expect(Decimal.from("100.255").toStep("0.01")).toBe("100.26");
    expect(Decimal.from("100.255").toStep("0.01", "down")).toBe("100.25");
    expect(Decimal.from("-100.251").toStep("0.01", "up")).toBe("-100.26");
    expect(Decimal.from("7").toStep("0.5")).toBe("7.0");
    expect(Decimal.from("7.3").toStep("5")).toBe("5");
    expect(() => Decimal.from("1").roundTo("0")).toThrow(RangeError);
  });

  test("is written with as many decimals as wanted", () => {
    expect(Decimal.from("1.5").toFixed(4)).toBe("1.5000");
    expect(Decimal.from("0.005").toFixed(2)).toBe("0.01");
    expect(Decimal.from("-0.005").toFixed(0)).toBe("0");
    expect(JSON.stringify({ price: Decimal.from("1.50") })).toBe('{"price":"1.5"}');
  });

  test("does not take part in arithmetic of numbers", () => {
    const [one, two] = [Decimal.from("1"), Decimal.from("2")];
    expect(() => one < two).toThrow(TypeError);
    expect(() => (one as unknown as number) * 2).toThrow(TypeError);
  });
});
