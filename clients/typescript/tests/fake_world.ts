/** A world in which time passes only when everybody waits for it. */

import type { World } from "../src/world.js";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class FakeWorld implements World {
  /** Milliseconds by which this machine's clock is ahead of the venue's. */
  aheadMs = 0;
  /** Each wait that was asked for. */
  readonly waits: number[] = [];
  private now = 0;
  private made = 0;
  private readonly timers = new Set<Timer>();

  constructor(private readonly chance = 0.5) {}

  monotonicMs(): number {
    return this.now;
  }

  wallMs(): number {
    return 1_760_000_000_000 + this.now + this.aheadMs;
  }

  random(): number {
    return this.chance;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.now + milliseconds, callback };
    this.timers.add(timer);
    this.waits.push(milliseconds);
    return () => {
      this.timers.delete(timer);
    };
  }

  nonce(): string {
    return `nonce-${String((this.made += 1)).padStart(16, "0")}`;
  }

  clientOrderId(): string {
    return `id-${String((this.made += 1))}`;
  }

  /** Let time pass until the promise is settled. */
  async until<Result>(promise: Promise<Result>): Promise<Result> {
    const state = { settled: false };
    const mark = (): void => {
      state.settled = true;
    };
    promise.then(mark, mark);
    for (let steps = 0; steps < 10_000; steps += 1) {
      await this.settle();
      if (state.settled) {
        return promise;
      }
      this.step();
    }
    throw new Error("the promise is not settled, however long the wait");
  }

  /** Let so much time pass. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    await this.settle();
    while ([...this.timers].some((timer) => timer.at <= end)) {
      this.step();
      await this.settle();
    }
    this.now = end;
  }

  /** Let everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private step(): void {
    const [first] = [...this.timers].sort((left, right) => left.at - right.at);
    if (first !== undefined) {
      this.timers.delete(first);
      this.now = Math.max(this.now, first.at);
      first.callback();
    }
  }
}
