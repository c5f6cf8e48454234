/**
 * Exact decimals. Prices, quantities and amounts are text on the wire; `Decimal` calculates with
 * them, and a JavaScript number is refused wherever one of them is expected: `0.1 + 0.2` is a
 * number, too.
 */

const TEXT = /^(-?)([0-9]+)(?:\.([0-9]+))?$/;
// Far beyond what the venue takes, so that hostile text costs nothing.
const TEXT_MAX = 128;

/** What a decimal can be given as. A `number` is none of it. */
export type DecimalInput = string | bigint | Decimal;

/** To which side of the exact value a result is rounded. */
export type Rounding = "down" | "up" | "half-up";

/** An exact decimal number, which never changes. */
export class Decimal {
  static readonly zero = new Decimal(0n, 0);

  private constructor(
    private readonly units: bigint,
    private readonly scale: number,
  ) {}

  /**
   * Read a decimal: digits with at most one point, a sign allowed, no exponent.
   *
   * @throws TypeError if it is a number, or anything else that is no decimal.
   */
  static from(value: DecimalInput): Decimal {
    if (value instanceof Decimal) {
      return value;
    }
    if (typeof value === "bigint") {
      return new Decimal(value, 0);
    }
    if (typeof value !== "string") {
      throw notADecimal(value);
    }
    const parts = value.length <= TEXT_MAX ? TEXT.exec(value) : null;
    if (parts === null) {
      throw new TypeError(`${JSON.stringify(value.slice(0, TEXT_MAX))} is no decimal`);
    }
    const [, sign = "", whole = "", fraction = ""] = parts;
    return reduced(BigInt(`${sign}${whole}${fraction}`), fraction.length);
  }

  plus(other: DecimalInput): Decimal {
    const [left, right, scale] = this.aligned(Decimal.from(other));
    return reduced(left + right, scale);
  }

  minus(other: DecimalInput): Decimal {
    return this.plus(Decimal.from(other).negated());
  }

  times(other: DecimalInput): Decimal {
    const factor = Decimal.from(other);
    return reduced(this.units * factor.units, this.scale + factor.scale);
  }

  /**
   * The quotient with at most so many decimals.
   *
   * @throws RangeError if the divisor is zero.
   */
  dividedBy(other: DecimalInput, decimals: number, rounding: Rounding = "half-up"): Decimal {
    const divisor = Decimal.from(other);
    if (divisor.units === 0n) {
      throw new RangeError("division by zero");
    }
    const numerator = this.units * power(divisor.scale + decimals);
    return reduced(divide(numerator, divisor.units * power(this.scale), rounding), decimals);
  }

  negated(): Decimal {
    return Decimal.of(-this.units, this.scale);
  }

  abs(): Decimal {
    return this.units < 0n ? this.negated() : this;
  }

  /** -1, 0 or 1. */
  get sign(): -1 | 0 | 1 {
    return this.units === 0n ? 0 : this.units < 0n ? -1 : 1;
  }

  get isZero(): boolean {
    return this.units === 0n;
  }

  /** How many digits stand behind the point. */
  get decimals(): number {
    return this.scale;
  }

  /** Below zero, zero or above zero, as this is smaller than, equal to or greater than the other. */
  compare(other: DecimalInput): -1 | 0 | 1 {
    const [left, right] = this.aligned(Decimal.from(other));
    return left === right ? 0 : left < right ? -1 : 1;
  }

  equals(other: DecimalInput): boolean {
    return this.compare(other) === 0;
  }

  /** Whether this is a whole number of steps, e.g. of the tick size. */
  isMultipleOf(step: DecimalInput): boolean {
    const [left, right] = this.aligned(positive(step));
    return left % right === 0n;
  }

  /**
   * The nearest multiple of a step, e.g. of the tick size: towards zero, away from it, or whichever
   * is nearer.
   */
  roundTo(step: DecimalInput, rounding: Rounding = "half-up"): Decimal {
    const [left, right, scale] = this.aligned(positive(step));
    return reduced(divide(left, right, rounding) * right, scale);
  }

  /** As text, in the shortest form: `1.5`, not `1.50`. */
  toString(): string {
    return this.text(this.scale);
  }

  /** As text with just so many decimals. */
  toFixed(decimals: number, rounding: Rounding = "half-up"): string {
    const rounded =
      decimals >= this.scale
        ? this
        : reduced(divide(this.units, power(this.scale - decimals), rounding), decimals);
    return rounded.text(decimals);
  }

  /** As text with the decimals that a step has, e.g. the tick size; see `roundTo`. */
  toStep(step: DecimalInput, rounding: Rounding = "half-up"): string {
    return this.roundTo(step, rounding).toFixed(Decimal.from(step).scale);
  }

  toJSON(): string {
    return this.toString();
  }

  /** The nearest number: for charts, never for orders. */
  toNumber(): number {
    return Number(this.toString());
  }

  /** Text where text is wanted; comparing with `<` or adding with `+` would go wrong silently. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") {
      return this.toString();
    }
    throw new TypeError("use compare, equals, plus and minus with a Decimal");
  }

  /** @internal */
  static of(units: bigint, scale: number): Decimal {
    return new Decimal(units, scale);
  }

  private aligned(other: Decimal): [left: bigint, right: bigint, scale: number] {
    const scale = Math.max(this.scale, other.scale);
    return [
      this.units * power(scale - this.scale),
      other.units * power(scale - other.scale),
      scale,
    ];
  }

  private text(decimals: number): string {
    const digits = (this.units < 0n ? -this.units : this.units) * power(decimals - this.scale);
    const padded = digits.toString().padStart(decimals + 1, "0");
    const whole = padded.slice(0, padded.length - decimals);
    const sign = this.units < 0n ? "-" : "";
    return decimals === 0 ? `${sign}${whole}` : `${sign}${whole}.${padded.slice(-decimals)}`;
  }
}

/**
 * The text of a decimal for the wire.
 *
 * @throws TypeError if it is a number or no decimal; the message names the field.
 */
export function decimalText(value: DecimalInput, field: string): string {
  try {
    // What is text stays as it was written.
    return typeof value === "string" ? (Decimal.from(value), value) : Decimal.from(value).toString();
  } catch (error) {
    throw new TypeError(`${field}: ${(error as Error).message}`, { cause: error });
  }
}

function reduced(units: bigint, scale: number): Decimal {
  let [rest, decimals] = [units, scale];
  while (decimals > 0 && rest % 10n === 0n) {
    rest /= 10n;
    decimals -= 1;
  }
  return Decimal.of(rest, decimals);
}

function divide(numerator: bigint, denominator: bigint, rounding: Rounding): bigint {
  const [over, under] =
    denominator < 0n ? [-numerator, -denominator] : [numerator, denominator];
  const [quotient, rest] = [over / under, over % under];
  const size = rest < 0n ? -rest : rest;
  const away = rounding === "up" ? size > 0n : rounding === "half-up" && 2n * size >= under;
  return away ? quotient + (over < 0n ? -1n : 1n) : quotient;
}

function power(exponent: number): bigint {
  return 10n ** BigInt(exponent);
}

function positive(step: DecimalInput): Decimal {
  const size = Decimal.from(step);
  if (size.sign <= 0) {
    throw new RangeError(`a step is above zero, not ${size.toString()}`);
  }
  return size;
}

function notADecimal(value: unknown): TypeError {
  return typeof value === "number"
    ? new TypeError(`${String(value)} is a number, which is not exact: pass text, e.g. "0.1"`)
    : new TypeError(`a ${typeof value} is no decimal: pass text, e.g. "0.1"`);
}
