/**
 * Server streams that are opened again when they end, and go on where they stopped.
 *
 * Rules of this file:
 *
 * - The venue is never quiet for longer than its heartbeat. A stream that is quiet for `quietMs` is
 *   dead, whatever TCP believes.
 * - What ended for a reason that passes is opened again after a wait with full jitter, for ever or
 *   for `giveUpAfterMs`. What ended for good throws its error, and throws it again when asked again.
 * - What was received before a broken promise is handed out before the error is thrown.
 * - One reader at a time: a second `next` before the first is answered is refused.
 */

import {
  ClientClosed,
  ConfigurationError,
  Exhausted,
  isTransient,
  needsSignIn,
  ProtocolViolation,
  ServerFault,
  TimedOut,
  TradewireError,
  Unavailable,
} from "./errors.js";
import type { Closing } from "./gen/tradewire/v1/stream_pb.js";
import { TicketUnavailable } from "./identity.js";
import { backoffMs } from "./retry.js";
import { errorOfClosing } from "./status.js";
import { sleep, type World } from "./world.js";

/** How streams are watched and opened again. */
export interface StreamPolicy {
  /** Time without a message after which a stream is dead; the venue sends a heartbeat every 10 s. */
  readonly quietMs: number;
  /** Bound of the first wait; each next one is twice that. */
  readonly initialBackoffMs: number;
  /** Bound of all waits. */
  readonly maximumBackoffMs: number;
  /** Time without a message after which the error is thrown; undefined means never. */
  readonly giveUpAfterMs?: number | undefined;
}

export const STREAM_POLICY: StreamPolicy = {
  quietMs: 25_000,
  initialBackoffMs: 100,
  maximumBackoffMs: 5_000,
};

/** A stream went on after it had ended. */
export interface Resumed {
  /** Which stream, e.g. `executions`. */
  readonly stream: string;
  /** The number after which it goes on; undefined for market data, which begins with a snapshot. */
  readonly afterSequence: bigint | undefined;
  /** Why it had ended. */
  readonly error: TradewireError;
}

/** What every stream of a client needs. */
export interface Plumbing {
  readonly policy: StreamPolicy;
  readonly world: World;
  readonly onResume: (resumed: Resumed) => void;
}

/** What the messages of all server streams have in common. */
export interface StreamMessage {
  readonly event:
    | { readonly case: "closing"; readonly value: Closing }
    | { readonly case: string; readonly value: unknown }
    | { readonly case: undefined; readonly value?: undefined };
}

// Answers outside the catalogue in a row, and sign-ins without a message between them, after which
// the answer is taken for final.
const FAULTS_MAX = 5;
const SIGN_INS_MAX = 2;

/** Counts failures in a row, and decides whether and when to try again. */
class Outages {
  private failures = 0;
  private faults = 0;
  private signIns = 0;
  private aliveAtMs: number;

  constructor(private readonly plumbing: Plumbing) {
    this.aliveAtMs = plumbing.world.monotonicMs();
  }

  /** Note that a message came. */
  over(): void {
    this.failures = this.faults = this.signIns = 0;
    this.aliveAtMs = this.plumbing.world.monotonicMs();
  }

  /** Wait until the next try is due; throws the same error when there is no sense in one. */
  async endure(error: TradewireError, signal: AbortSignal): Promise<void> {
    const { policy, world } = this.plumbing;
    this.failures += 1;
    // A connection that is lost during a write looks like a fault, so only those in a row count.
    this.faults = error instanceof ServerFault ? this.faults + 1 : 0;
    this.signIns += needsSignIn(error) ? 1 : 0;
    const patience = policy.giveUpAfterMs;
    const silence = world.monotonicMs() - this.aliveAtMs;
    if (!this.passes(error) || (patience !== undefined && silence >= patience)) {
      throw error;
    }
    const wanted = error instanceof Exhausted ? (error.retryAfterMs ?? 0) : 0;
    try {
      await sleep(world, wanted + backoffMs(policy, this.failures, world), signal);
    } catch {
      throw new ClientClosed("the stream is closed");
    }
  }

  private passes(error: TradewireError): boolean {
    if (needsSignIn(error)) {
      return this.signIns <= SIGN_INS_MAX;
    }
    if (error instanceof ServerFault) {
      return error.code !== "RESOURCE_EXHAUSTED" && this.faults <= FAULTS_MAX;
    }
    return isTransient(error) || error instanceof TicketUnavailable;
  }
}

/**
 * An asynchronous iterator over a server stream. Leaving a `for await` loop closes it; to read on
 * later, call `next` by hand.
 */
export abstract class SupervisedStream<Message extends StreamMessage, Item>
  implements AsyncIterableIterator<Item, undefined>
{
  private readonly outages: Outages;
  private readonly stop = new AbortController();
  private readonly ready: Item[] = [];
  private reading: Reading<Message> | undefined;
  private failure: TradewireError | undefined;
  private isReading = false;
  private endedBy: TradewireError | undefined;
  private resumes = 0;

  constructor(
    protected readonly plumbing: Plumbing,
    private readonly name: string,
  ) {
    this.outages = new Outages(plumbing);
  }

  /** How often the stream ended and went on. */
  get resumeCount(): number {
    return this.resumes;
  }

  /** Call the method, to go on where the stream stopped. */
  protected abstract open(signal: AbortSignal): AsyncIterable<Message>;

  /**
   * Hand out what a message means to the reader.
   *
   * @throws ProtocolViolation if the venue broke its contract.
   */
  protected abstract accept(message: Message, handOut: (item: Item) => void): void;

  /** The number after which the stream goes on, undefined where it begins anew. */
  protected get place(): bigint | undefined {
    return undefined;
  }

  /** Check what must hold before the stream goes on. */
  protected beforeReopening(): Promise<void> {
    return Promise.resolve();
  }

  /** Note what the reader gets. */
  protected handedOut(item: Item): Item {
    return item;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Item, undefined>> {
    for (;;) {
      const item = this.ready.shift();
      if (item !== undefined) {
        return { done: false, value: this.handedOut(item) };
      }
      if (this.failure instanceof ClientClosed) {
        return { done: true, value: undefined };
      }
      await this.receive();
    }
  }

  return(): Promise<IteratorResult<Item, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** End the stream; iteration over it stops. */
  close(): void {
    this.failure ??= new ClientClosed("the stream is closed");
    this.stop.abort(this.failure);
    this.dropReading();
    this.ready.length = 0;
  }

  /** Read one message and make items of it; a failure is noted behind the items before it. */
  protected async receive(): Promise<void> {
    if (this.failure !== undefined) {
      throw this.failure;
    }
    if (this.isReading) {
      throw new ConfigurationError("one reader at a time can read a stream");
    }
    this.isReading = true;
    try {
      const message = await this.nextMessage();
      this.accept(message, (item) => this.ready.push(item));
    } catch (error) {
      this.dropReading();
      if (!(error instanceof TradewireError)) {
        throw error;
      }
      this.failure ??= error;
    } finally {
      this.isReading = false;
    }
  }

  /** Give the stream up and take it anew, e.g. with a fresh snapshot. */
  protected reopen(error: TradewireError): void {
    this.endedBy = error;
    this.dropReading();
  }

  private async nextMessage(): Promise<Message> {
    for (;;) {
      try {
        const message = await (this.reading ?? (await this.opened())).next();
        const { event } = message;
        if (isClosing(event)) {
          throw errorOfClosing(event.value);
        }
        this.outages.over();
        if (this.endedBy !== undefined) {
          const error = this.endedBy;
          this.endedBy = undefined;
          this.resumes += 1;
          this.plumbing.onResume({ stream: this.name, afterSequence: this.place, error });
        }
        return message;
      } catch (error) {
        this.dropReading();
        if (this.failure !== undefined) {
          // Closed by somebody else meanwhile.
          throw this.failure;
        }
        if (!(error instanceof TradewireError) || error instanceof ProtocolViolation) {
          throw error;
        }
        this.endedBy = error;
        await this.outages.endure(error, this.stop.signal);
      }
    }
  }

  private async opened(): Promise<Reading<Message>> {
    await this.beforeReopening();
    if (this.failure !== undefined) {
      throw this.failure;
    }
    const { policy, world } = this.plumbing;
    this.reading = new Reading((signal) => this.open(signal), policy.quietMs, world);
    return this.reading;
  }

  private dropReading(): void {
    this.reading?.cancel();
    this.reading = undefined;
  }
}

/** The reading end of a call: a time-out of the reader costs no message. */
class Reading<Message> {
  private readonly controller = new AbortController();
  private readonly iterator: AsyncIterator<Message>;
  private pending: Promise<IteratorResult<Message>> | undefined;

  constructor(
    open: (signal: AbortSignal) => AsyncIterable<Message>,
    private readonly quietMs: number,
    private readonly world: World,
  ) {
    this.iterator = open(this.controller.signal)[Symbol.asyncIterator]();
  }

  async next(): Promise<Message> {
    this.pending ??= this.iterator.next();
    const { pending } = this;
    const result = await new Promise<IteratorResult<Message>>((resolve, reject) => {
      const cancelTimer = this.world.after(this.quietMs, () => {
        reject(new TimedOut(`no message for ${String(this.quietMs)} ms, not even a heartbeat`));
      });
      pending.then(resolve, reject).finally(cancelTimer);
    });
    this.pending = undefined;
    if (result.done === true) {
      throw new Unavailable("the stream ended without saying why");
    }
    return result.value;
  }

  cancel(): void {
    this.controller.abort(new ClientClosed("the stream is closed"));
    // What is still on its way has no reader.
    this.pending?.catch(() => undefined);
    this.iterator.return?.().catch(() => undefined);
  }
}

function isClosing(
  event: StreamMessage["event"],
): event is { readonly case: "closing"; readonly value: Closing } {
  return event.case === "closing";
}
