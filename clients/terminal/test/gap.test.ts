import { describe, expect, it } from "vitest";
import { observe, startAfter, UNSEEN } from "../src/domain/gap.js";

const all = (start: typeof UNSEEN, ...numbers: bigint[]) => numbers.reduce(observe, start);

describe("the gap counter", () => {
  it("goes on behind a snapshot", () => {
    expect(all(startAfter(41n), 42n, 43n)).toEqual({ last: 43n, missing: 0n, repeated: 0 });
  });

  it("counts every number that never came", () => {
    expect(all(startAfter(1n), 2n, 5n, 6n, 8n)).toEqual({ last: 8n, missing: 3n, repeated: 0 });
  });

  it("counts what comes again, and does not go back", () => {
    expect(all(startAfter(5n), 6n, 6n, 4n, 7n)).toEqual({ last: 7n, missing: 0n, repeated: 2 });
  });

  it("knows of no gap before the first number", () => {
    expect(all(UNSEEN, 9n)).toEqual({ last: 9n, missing: 0n, repeated: 0 });
  });

  it("counts beyond what a number holds exactly", () => {
    expect(all(startAfter(2n ** 53n), 2n ** 53n + 1n).missing).toBe(0n);
  });
});
