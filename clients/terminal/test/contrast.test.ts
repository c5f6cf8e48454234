/** Figures on depth bars are text on a coloured ground: automatic checks of a page do not measure those. */
import { describe, expect, it } from "vitest";
import tokens from "../src/styles/tokens.css?raw";

const AA = 4.5;

/** Returns the colours of a scheme by name. */
function coloursOf(selector: string): ReadonlyMap<string, string> {
  const block = tokens.split(`\n${selector} {`)[1]?.split("}")[0] ?? "";
  return new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name = "", colour = ""]) => [name, colour]));
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((left, right) => left - right);
  return (light + 0.05) / (dark + 0.05);
}

describe.each([
  ["light", ":root"],
  ["dark", ':root[data-theme="dark"]'],
])("in %s colours", (_, selector) => {
  const colours = coloursOf(selector);
  const colour = (name: string): string => colours.get(name) ?? "";

  it.each([
    ["on-bar", "buy-soft"],
    ["on-bar", "sell-soft"],
    ["text", "buy-soft"],
    ["text", "sell-soft"],
    ["buy", "buy-soft"],
    ["sell", "sell-soft"],
    ["on-bar", "hover"],
    ["buy", "hover"],
    ["sell", "hover"],
    ["muted", "sell-soft"],
  ])("%s can be read on %s", (text, ground) => {
    expect(contrast(colour(text), colour(ground))).toBeGreaterThanOrEqual(AA);
  });
});
