/**
 * Repeats what may be repeated, and says so when the outcome stays unknown.
 *
 * The danger is not the failed call, it is the call whose answer got lost. Rules of this file:
 *
 * - A command is repeated as it is, with the same client order id: the venue answers a repeat as it
 *   answered the first, so repeating is a way of asking.
 * - What is not safe to repeat (a new API key) is sent once.
 * - After an attempt without an answer, only an answer that speaks about that attempt as well ends in
 *   a certain error (`settles`). A rate limit met by the repeat does not; then it is an
 *   UnknownOutcome.
 * - The number of attempts and the total time are bounded. Waits grow exponentially with full jitter,
 *   so that clients which failed together do not come back together. A rate limit says itself how
 *   long to wait.
 */

import {
  ClientClosed,
  ConfigurationError,
  Exhausted,
  isTransient,
  Refused,
  Rejected,
  settles,
  TooManyPending,
  TradewireError,
  UnknownOutcome,
} from "./errors.js";
import { sleep, type World } from "./world.js";

/** What a call does to the venue, and so what its repetition does. */
export type Effect = "none" | "repeatable" | "once";

/** How long and how often a call is repeated. */
export interface RetryPolicy {
  /** Greatest number of attempts, the first included. */
  readonly attempts: number;
  /** Total time for all attempts and the waits between them. */
  readonly deadlineMs: number;
  /** Time for one attempt. */
  readonly attemptTimeoutMs: number;
  /** Bound of the first wait; each next one is twice that. */
  readonly initialBackoffMs: number;
  /** Bound of all waits. */
  readonly maximumBackoffMs: number;
}

export const RETRY_POLICY: RetryPolicy = {
  attempts: 6,
  deadlineMs: 15_000,
  attemptTimeoutMs: 5_000,
  initialBackoffMs: 100,
  maximumBackoffMs: 2_000,
};

/** The wait after so many failures in a row, from 1: full jitter. */
export function backoffMs(
  policy: Pick<RetryPolicy, "initialBackoffMs" | "maximumBackoffMs">,
  failures: number,
  world: World,
): number {
  const bound = policy.initialBackoffMs * 2 ** Math.min(failures - 1, 32);
  return world.random() * Math.min(policy.maximumBackoffMs, bound);
}

/** An attempt ended before anything left: its error is certain, whatever it is. */
export class NotSent extends Error {
  constructor(readonly error: TradewireError) {
    super(error.message);
  }
}

/** A call as the retry loop sees it. */
export interface Work {
  readonly name: string;
  readonly effect: Effect;
  readonly clientOrderId?: string;
}

/** The result of a call, and how many earlier attempts may have had an effect as well. */
export interface Answered<Result> {
  readonly result: Result;
  readonly earlierAttempts: number;
}

/** Runs attempts until one is answered. */
export class Retrier {
  constructor(
    readonly policy: RetryPolicy,
    private readonly world: World,
  ) {
    const { attempts, ...times } = policy;
    if (!(attempts >= 1) || !Object.values(times).every((time) => time > 0)) {
      throw new ConfigurationError("at least one attempt is needed, and times above zero");
    }
  }

  /**
   * The result of the first attempt that has one; `attempt` is given its time-out.
   *
   * @throws UnknownOutcome if it may have happened, and nobody could say.
   * @throws TradewireError if it certainly did not, or it was a read.
   */
  async run<Result>(
    work: Work,
    attempt: (timeoutMs: number) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Answered<Result>> {
    const end = this.world.monotonicMs() + this.policy.deadlineMs;
    let unclear = 0;
    if (signal?.aborted === true) {
      throw new ClientClosed(`${work.name} was given up before it was sent`);
    }
    for (let number = 1; ; number += 1) {
      const left = Math.max(end - this.world.monotonicMs(), 1);
      let error: TradewireError;
      let sent: boolean;
      try {
        const result = await attempt(Math.min(this.policy.attemptTimeoutMs, left));
        return { result, earlierAttempts: unclear };
      } catch (thrown) {
        sent = !(thrown instanceof NotSent);
        const inner = thrown instanceof NotSent ? thrown.error : thrown;
        if (!(inner instanceof TradewireError)) {
          throw thrown;
        }
        error = inner;
      }
      unclear += sent && isUnclear(work, error) ? 1 : 0;
      const delay = this.delayMs(error, number);
      const last =
        number >= this.policy.attempts || this.world.monotonicMs() + delay >= end || signal?.aborted;
      // What was not sent may be sent for the first time: that is no repetition.
      if (last === true || !isTransient(error) || (sent && work.effect === "once")) {
        throw unclear > 0 && !settles(error) ? unknownOutcome(work, number, error) : error;
      }
      try {
        await sleep(this.world, delay, signal);
      } catch {
        throw unclear > 0 ? unknownOutcome(work, number, error) : error;
      }
    }
  }

  private delayMs(error: TradewireError, failures: number): number {
    const backoff = backoffMs(this.policy, failures, this.world);
    // Jitter is added, not mixed in: coming back too early costs another refusal.
    return (error instanceof Exhausted ? (error.retryAfterMs ?? 0) : 0) + backoff;
  }
}

function isUnclear(work: Work, error: TradewireError): boolean {
  const certain =
    error instanceof Refused ||
    error instanceof Rejected ||
    error instanceof ClientClosed ||
    error instanceof ConfigurationError ||
    error instanceof TooManyPending;
  return work.effect !== "none" && !certain;
}

/** The error of a command that may or may not have happened. */
export function unknownOutcome(work: Work, attempts: number, cause: unknown): UnknownOutcome {
  const tries = attempts === 1 ? "1 attempt" : `${String(attempts)} attempts`;
  const { clientOrderId } = work;
  const asking =
    clientOrderId === undefined || clientOrderId === ""
      ? "look before you send it again"
      : `ask orders.get({ clientOrderId: ${JSON.stringify(clientOrderId)} }), or send it again`;
  return new UnknownOutcome(
    `${work.name} was not answered in ${tries}: it may have happened; ${asking}`,
    { attempts, cause, ...(clientOrderId === undefined ? {} : { clientOrderId }) },
  );
}
