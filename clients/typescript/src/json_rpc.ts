/**
 * JSON-RPC 2.0 over one socket: requests and their answers, subscriptions and their messages.
 *
 * No socket, no reconnection: text goes in by `receive` and out by `send`. When the socket is lost
 * everything that waits is told, once.
 */

import type { JsonValue } from "@bufbuild/protobuf";

import type { RateLimitState } from "./channel.js";
import { ProtocolViolation, TimedOut, TradewireError, Unavailable } from "./errors.js";
import { errorOfJson } from "./status.js";
import type { World } from "./world.js";

/** What an answer said beside its result. */
export interface Answer {
  readonly roundTripMs: number;
  readonly rateLimit: RateLimitState | undefined;
}

/** Who gets what a subscription sends. */
export interface Subscriber {
  /** It is open under this number, before anything else of it is told. */
  opened(subscription: number): void;
  message(json: unknown): void;
  /** No more comes; without an error the client ended it, or the last message said why. */
  closed(error: TradewireError | undefined): void;
}

export interface ExchangeOptions {
  readonly world: World;
  readonly pendingMax: number;
  send(text: string): void;
  notified(method: string, params: unknown): void;
  answered(answer: Answer): void;
  /** A request has been answered or given up. */
  settled(): void;
  lost(error: TradewireError): void;
}

interface Pending {
  readonly sentAtMs: number;
  readonly cancelTimer: () => void;
  resolve(result: unknown): void;
  reject(error: TradewireError): void;
}

interface Envelope {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
  readonly rateLimit?: unknown;
}

const CANCEL = "subscription.cancel";
const CLOSED = "subscription.closed";
const CANCEL_TIMEOUT_MS = 10_000;
// Codes of JSON-RPC itself: the venue did not take the request as one.
const METHOD_NOT_FOUND = -32601;

export class Exchange {
  private readonly pending = new Map<number, Pending>();
  private readonly subscribers = new Map<number, Subscriber>();
  private lastId = 0;
  private heard: number;
  private loss: TradewireError | undefined;
  private idle: (() => void) | undefined;

  constructor(private readonly options: ExchangeOptions) {
    this.heard = options.world.monotonicMs();
  }

  /** When something came last, by the monotonic clock. */
  get heardAtMs(): number {
    return this.heard;
  }

  /** Whether the socket is gone. */
  get isLost(): boolean {
    return this.loss !== undefined;
  }

  /** How many requests have no answer yet. */
  get pendingCount(): number {
    return this.pending.size;
  }

  /** Note that the other side lives. */
  alive(): void {
    this.heard = this.options.world.monotonicMs();
  }

  /** Call back as soon as no request waits for its answer. */
  whenIdle(callback: () => void): void {
    this.idle = callback;
    this.checkIdle();
  }

  /** Send a request; the promise is that of its result. */
  request(
    method: string,
    params: JsonValue,
    timeoutMs: number,
    signal?: AbortSignal,
    onResult: (result: unknown) => void = () => undefined,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.loss !== undefined) {
        reject(this.loss);
        return;
      }
      const id = (this.lastId += 1);
      const give = (error: TradewireError): void => {
        this.settle(id)?.reject(error);
      };
      const onAbort = (): void => {
        give(new Unavailable(`${method} was given up before its answer came`));
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const cancelTimer = this.options.world.after(timeoutMs, () => {
        give(new TimedOut(`${method} was not answered in ${String(Math.round(timeoutMs))} ms`));
      });
      this.pending.set(id, {
        sentAtMs: this.options.world.monotonicMs(),
        cancelTimer: () => {
          cancelTimer();
          signal?.removeEventListener("abort", onAbort);
        },
        resolve: (result) => {
          // Before anything else is received: a subscription's messages follow its answer closely.
          onResult(result);
          resolve(result);
        },
        reject,
      });
      this.options.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  /** Open a subscription. */
  async subscribe(
    method: string,
    params: JsonValue,
    timeoutMs: number,
    subscriber: Subscriber,
  ): Promise<void> {
    const result = await this.request(method, params, timeoutMs, undefined, (answer) => {
      const number = subscriptionOf(answer);
      if (number !== undefined) {
        this.subscribers.set(number, subscriber);
        subscriber.opened(number);
      }
    });
    if (subscriptionOf(result) === undefined) {
      throw new ProtocolViolation(`${method} was answered without a subscription`);
    }
  }

  /** End a subscription; nothing more of it is told. */
  unsubscribe(subscription: number): void {
    if (this.subscribers.delete(subscription) && this.loss === undefined) {
      // It may have ended meanwhile, or the connection may: both is as good.
      this.request(CANCEL, { subscription }, CANCEL_TIMEOUT_MS).catch(() => undefined);
    }
  }

  /** Take a frame. */
  receive(text: string): void {
    if (this.loss !== undefined) {
      return;
    }
    this.alive();
    try {
      const frame: unknown = JSON.parse(text);
      for (const envelope of Array.isArray(frame) ? frame : [frame]) {
        this.take(envelope as Envelope);
      }
    } catch (cause) {
      this.lose(
        cause instanceof TradewireError
          ? cause
          : new Unavailable("the venue sent a frame that cannot be read", { cause }),
      );
    }
  }

  /** The socket is gone: tell everybody, the first time. */
  lose(error: TradewireError): void {
    if (this.loss !== undefined) {
      return;
    }
    this.loss = error;
    const answer = lostAnswer(error);
    for (const id of [...this.pending.keys()]) {
      this.settle(id)?.reject(answer);
    }
    for (const subscriber of this.subscribers.values()) {
      subscriber.closed(answer);
    }
    this.subscribers.clear();
    this.options.lost(error);
  }

  private take(envelope: Envelope): void {
    if (typeof envelope.method === "string") {
      this.notice(envelope.method, envelope.params);
      return;
    }
    if (typeof envelope.id !== "number") {
      // Answers without an id are about frames that could not be read; ours can.
      throw new ProtocolViolation(`the venue refused a frame: ${JSON.stringify(envelope.error)}`);
    }
    const pending = this.settle(envelope.id);
    if (pending === undefined) {
      // It came after its time-out.
      return;
    }
    this.options.answered({
      roundTripMs: this.options.world.monotonicMs() - pending.sentAtMs,
      rateLimit: rateLimitOf(envelope.rateLimit),
    });
    if (envelope.error === undefined) {
      pending.resolve(envelope.result);
    } else {
      pending.reject(errorOfAnswer(envelope.error));
    }
    this.checkIdle();
  }

  private notice(method: string, params: unknown): void {
    const subscription = subscriptionOf(params);
    if (subscription === undefined) {
      this.options.notified(method, params);
      return;
    }
    const subscriber = this.subscribers.get(subscription);
    if (subscriber === undefined) {
      // It was canceled, and this was on its way.
      return;
    }
    if (method === CLOSED) {
      this.subscribers.delete(subscription);
      const { status } = params as { readonly status?: unknown };
      subscriber.closed(
        status === undefined
          ? new Unavailable("the stream ended without saying why")
          : errorOfJson(status),
      );
      return;
    }
    subscriber.message((params as { readonly message?: unknown }).message);
  }

  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    pending?.cancelTimer();
    this.options.settled();
    return pending;
  }

  private checkIdle(): void {
    if (this.pending.size === 0) {
      const { idle } = this;
      this.idle = undefined;
      idle?.();
    }
  }
}

function subscriptionOf(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  const { subscription } = value as { readonly subscription?: unknown };
  return typeof subscription === "number" ? subscription : undefined;
}

function rateLimitOf(value: unknown): RateLimitState | undefined {
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  const { limit = 0, remaining = 0, resetMs = 0 } = value as Record<string, unknown>;
  return { limit: Number(limit), remaining: Number(remaining), resetMs: Number(resetMs) };
}

function errorOfAnswer(error: unknown): TradewireError {
  const { code, message, data } = (error ?? {}) as Record<string, unknown>;
  if (data !== undefined) {
    return errorOfJson(data);
  }
  const canonical = code === METHOD_NOT_FOUND ? 12 : typeof code === "number" && code > 0 ? code : 3;
  return errorOfJson({ code: canonical, message: String(message) });
}

/** What is without an answer was sent: nobody here knows what became of it, whoever ended the socket. */
function lostAnswer(error: TradewireError): TradewireError {
  return new Unavailable(`the connection was lost before the answer came: ${error.message}`, {
    code: "UNAVAILABLE",
    cause: error,
  });
}
