/**
 * What people write, made into what the contract takes: enum values by name, times as dates.
 */

import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromDate, TimestampSchema } from "@bufbuild/protobuf/wkt";

import { type DecimalInput, decimalText } from "./decimal.js";

type Names<Enum> = Lowercase<Exclude<keyof Enum, "UNSPECIFIED"> & string>;

/** A value of an enum, or its short name in lower case: `Side.BUY` or `"buy"`. */
export type EnumInput<Enum> = Enum[keyof Enum] | Names<Enum>;

/** A time; `Date` has milliseconds, `Timestamp` nanoseconds. */
export type TimeInput = Date | Timestamp;

/**
 * The value of an enum; absent is "not set".
 *
 * @throws TypeError if there is no such value; the message lists those that there are.
 */
export function enumValue<Enum extends Record<string, string | number>>(
  values: Enum,
  given: EnumInput<Enum> | undefined,
  field: string,
): Enum[keyof Enum] {
  const found =
    typeof given === "string" ? values[given.toUpperCase()] : (given ?? 0);
  if (typeof found !== "number" || typeof values[String(found)] !== "string") {
    const names = Object.keys(values).filter((name) => !/^[0-9]|^UNSPECIFIED$/.test(name));
    throw new TypeError(
      `${field}: ${JSON.stringify(given)} is none of ${names.join(", ").toLowerCase()}`,
    );
  }
  return found as Enum[keyof Enum];
}

/** The fields of a message that are given, as decimal text. */
export function decimals<Name extends string>(
  given: Partial<Readonly<Record<Name, DecimalInput | undefined>>>,
): Partial<Record<Name, string>> {
  const texts: Partial<Record<Name, string>> = {};
  for (const [name, value] of Object.entries(given) as [Name, DecimalInput | undefined][]) {
    if (value !== undefined) {
      texts[name] = decimalText(value, name);
    }
  }
  return texts;
}

/** The fields of a message that are given, as timestamps. */
export function times<Name extends string>(
  given: Partial<Readonly<Record<Name, TimeInput | undefined>>>,
): Partial<Record<Name, Timestamp>> {
  const found: Partial<Record<Name, Timestamp>> = {};
  for (const [name, value] of Object.entries(given) as [Name, TimeInput | undefined][]) {
    if (value !== undefined) {
      found[name] = value instanceof Date ? timestampFromDate(value) : create(TimestampSchema, value);
    }
  }
  return found;
}
