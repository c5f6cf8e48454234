/**
 * Refuses fields that nobody reads. The compiler does that for objects written in place; a program
 * that nobody compiled, or an object made beforehand, would lose a misspelt `postOnly` in silence.
 */

import type { DescMessage } from "@bufbuild/protobuf";

/** The names of a type's fields; the compiler sees to it that none is missing or too many. */
export type FieldsOf<Type> = { readonly [Name in keyof Type]-?: true };

/**
 * Check what a program gave, by the names that there are.
 *
 * @throws TypeError if it is no object, or has another field; the message says which was likely meant.
 */
export function checkFields(given: unknown, fields: Readonly<Record<string, true>>, what: string): void {
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`${what}: an object is needed, not ${shown(given)}`);
  }
  // Those with a `$` are of protobuf-es, and nobody writes them.
  const known = Object.keys(fields).filter((name) => !name.startsWith("$"));
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(fields, name)) {
      const likely = likelyMeant(name, known);
      const hint = likely === undefined ? "" : `, did you mean ${JSON.stringify(likely)}`;
      throw new TypeError(
        `${what}: there is no field ${JSON.stringify(name)}${hint}; there are ${known.join(", ")}`,
      );
    }
  }
}

/**
 * Check the fields of a message that is to be made, and of the messages in it.
 *
 * @throws TypeError as `checkFields` does.
 */
export function checkMessage(schema: DescMessage, given: unknown): void {
  // What everybody knows has forms of its own: a `Struct` is any object, and so has any field.
  if (schema.typeName.startsWith("google.protobuf.")) {
    return;
  }
  const names = schema.members.map((member) => member.localName);
  const known = Object.fromEntries([...names, "$typeName", "$unknown"].map((name) => [name, true]));
  checkFields(given, known as Record<string, true>, schema.name);
  const values = given as Readonly<Record<string, unknown>>;
  for (const field of schema.fields) {
    const chosen = field.oneof === undefined ? undefined : values[field.oneof.localName];
    const value = field.oneof === undefined ? values[field.localName] : valueOf(chosen, field.localName);
    if (field.fieldKind === "message" && value !== undefined) {
      checkMessage(field.message, value);
    } else if (field.fieldKind === "list" && field.listKind === "message" && Array.isArray(value)) {
      for (const item of value) {
        checkMessage(field.message, item);
      }
    }
  }
}

/** What was given, short enough for a message. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length <= 80 ? text : `${text.slice(0, 80)}...`;
}

function valueOf(chosen: unknown, name: string): unknown {
  const { case: which, value } = (chosen ?? {}) as { readonly case?: string; readonly value?: unknown };
  return which === name ? value : undefined;
}

/** The known name that is nearest: another spelling, a slip or two, or one that was shortened. */
function likelyMeant(name: string, known: readonly string[]): string | undefined {
  const plain = plainOf(name);
  const near = known
    .map((each) => ({ each, slips: slipsBetween(plain, plainOf(each)) }))
    .sort((one, other) => one.slips - other.slips)[0];
  if (near !== undefined && near.slips <= Math.max(1, Math.floor(plain.length / 4))) {
    return near.each;
  }
  return known.find((each) => isShortened(plain, plainOf(each)));
}

function plainOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "").slice(0, 64);
}

/** How many letters have to be put in, left out or replaced (Levenshtein). */
function slipsBetween(one: string, other: string): number {
  let before = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (const [row, letter] of Array.from(one).entries()) {
    const now = [row + 1];
    for (const [place, against] of Array.from(other).entries()) {
      const replaced = (before[place] ?? 0) + (letter === against ? 0 : 1);
      now.push(Math.min(replaced, (before[place + 1] ?? 0) + 1, (now[place] ?? 0) + 1));
    }
    before = now;
  }
  return before[other.length] ?? 0;
}

/** Whether letters were left out: `qty`, `tif`, `clOrdId`. */
function isShortened(short: string, long: string): boolean {
  let place = 0;
  for (const letter of long) {
    place += letter === short[place] ? 1 : 0;
  }
  return short.length >= 2 && place === short.length && short.startsWith(long.charAt(0));
}
