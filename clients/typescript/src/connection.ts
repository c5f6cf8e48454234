/**
 * One WebSocket connection to the venue, which comes back by itself: `/v1/ws`, JSON-RPC 2.0.
 *
 * Theory of operation. `connect` starts a loop that lives until `close`: open, sign in, configure,
 * be live; when the socket is lost, wait and begin again. Rules:
 *
 * - A call leaves only while the connection is live, and calls leave in the order in which they were
 *   made. What finds it otherwise waits for it, within its time-out, and fails as not sent.
 * - When the socket is lost, calls without an answer fail with `Unavailable`: whether they had an
 *   effect is for the caller to find out, by repeating them with the same client order id. Streams
 *   end with the same error, and are opened again by who reads them.
 * - Waits between attempts grow exponentially with full jitter; the venue's own `retryAfterMs` is
 *   kept. A sign-in that is refused for good ends the loop: nothing is gained by repeating it.
 * - `connection.closing` is honoured: no further call leaves on that socket, what was sent may still
 *   be answered, and then a new one is opened.
 * - A venue that lives is never quiet for long: when nothing has come for a while the time is asked
 *   for, and when nothing comes then either, the link is dead, whatever TCP believes (see `link`).
 */

import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageShape,
} from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";

import type { AttemptOptions, Channel, RateLimitState } from "./channel.js";
import { errorOfAnnouncement } from "./closing.js";
import type { ConnectionState } from "./connection_policy.js";
import {
  ClientClosed,
  ConfigurationError,
  isTransient,
  needsSignIn,
  Refused,
  ServerFault,
  TimedOut,
  TradewireError,
  Unavailable,
} from "./errors.js";
import type { Scope } from "./gen/tradewire/v1/options_pb.js";
import {
  type CreateSessionResponse,
  GetServerTimeRequestSchema,
  SessionService,
} from "./gen/tradewire/v1/session_service_pb.js";
import { type ConnectionClosing, ConfigureConnectionRequestSchema, ConnectionClosingSchema } from "./gen/tradewire/v1/websocket_pb.js";
import { type Identity, TicketUnavailable } from "./identity.js";
import { Link, type LinkOptions, TICK_MS } from "./link.js";
import { Listeners } from "./listeners.js";
import { backoffMs, NotSent } from "./retry.js";
import { MessageQueue } from "./subscription.js";
import { jsonRpcName, readMessage, writeMessage } from "./wire.js";
import { sleep } from "./world.js";

/** What a connection is made of. */
export interface ConnectionOptions extends LinkOptions {
  readonly identity: Identity | undefined;
  readonly cancelOnDisconnect: boolean;
  readonly onRateLimit: (state: RateLimitState) => void;
}

// After so long a life a loss is an accident of its own, and counting begins anew.
const SETTLED_MS = 5_000;
// What was sent before a closing notice may still be answered, for so long.
const CLOSING_PATIENCE_MS = 5_000;
// Whatever the venue asks for: a client that waited for days would look dead.
const RETRY_AFTER_MAX_MS = 60_000;
const RENEWAL_PAUSE_MS = 5_000;

/** See the head of this file. */
export class Connection implements Channel {
  private readonly states = new Listeners<ConnectionState>();
  private readonly closings = new Listeners<ConnectionClosing>();
  private current: ConnectionState = { phase: "idle" };
  private link: Link | undefined;
  private loop: Promise<void> | undefined;
  private readonly stop = new AbortController();
  private readonly waiters = new Set<(error?: TradewireError) => void>();
  private readonly drained = new Set<() => void>();
  private signedIn: CreateSessionResponse | undefined;
  private renewal: Promise<void> | undefined;
  private opened = 0;
  private roundTrip: number | undefined;

  /** @internal */
  constructor(private readonly options: ConnectionOptions) {}

  /** Where the connection is now. */
  get state(): ConnectionState {
    return this.current;
  }

  /** How often it was opened, the first time included. */
  get connectCount(): number {
    return this.opened;
  }

  /** Milliseconds that the last answer took; undefined before the first. */
  get roundTripMs(): number | undefined {
    return this.roundTrip;
  }

  /** The account that signed in, empty without one. */
  get account(): string {
    return this.signedIn?.account ?? "";
  }

  /** What the session of the connection permits; empty without one. */
  get scopes(): readonly Scope[] {
    return this.signedIn?.scopes ?? [];
  }

  /** Call back with each state, until the returned function is called. */
  onState(listener: (state: ConnectionState) => void): () => void {
    return this.states.add(listener);
  }

  /** Call back with each notice that the venue is about to end the connection. */
  onClosing(listener: (closing: ConnectionClosing) => void): () => void {
    return this.closings.add(listener);
  }

  /**
   * Open the connection and wait until it is live; calls and streams do so by themselves.
   *
   * @throws TradewireError if it cannot be opened, or not in time.
   */
  async connect(timeoutMs = this.options.policy.openTimeoutMs): Promise<void> {
    try {
      await this.ready(timeoutMs);
    } catch (error) {
      throw error instanceof NotSent ? error.error : error;
    }
  }

  /**
   * Wait while more than half of the calls that may wait for an answer do: for those who send many.
   * While the connection is away nothing leaves, and this waits for nothing.
   */
  async drain(): Promise<void> {
    while ((this.link?.exchange.pendingCount ?? 0) > this.options.policy.pendingMax / 2) {
      await new Promise<void>((resolve) => {
        this.drained.add(resolve);
      });
    }
  }

  /** End the connection, for good. */
  async close(): Promise<void> {
    this.stop.abort(new ClientClosed("the client is closed"));
    this.drop(new ClientClosed("the client is closed"));
    await this.loop;
    this.become({ phase: "closed" });
    this.release(new ClientClosed("the client is closed"));
  }

  async unary<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageShape<Input>,
    options: AttemptOptions,
  ): Promise<MessageShape<Output>> {
    const params = writeMessage(method.input, request);
    if (this.usable === undefined) {
      await this.ready(options.timeoutMs, options.signal);
    }
    const name = jsonRpcName(method);
    let result: unknown;
    try {
      result = await this.live().ask(name, params, options);
    } catch (error) {
      if (!(error instanceof Refused) || !needsSignIn(error) || this.options.identity === undefined) {
        throw error;
      }
      // Refused at the door: nothing happened, so this is no repetition.
      await this.renew();
      result = await this.live().ask(name, params, options);
    }
    return readMessage(method.output, result);
  }

  async *stream<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageShape<Input>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageShape<Output>> {
    const params = writeMessage(method.input, request);
    const { openTimeoutMs, queueLengthMax } = this.options.policy;
    let link: Link;
    try {
      await this.ready(openTimeoutMs, signal);
      link = this.live();
    } catch (error) {
      throw error instanceof NotSent ? error.error : error;
    }
    let number: number | undefined;
    const cancel = (): void => {
      if (number !== undefined) {
        link.exchange.unsubscribe(number);
      }
    };
    const queue = new MessageQueue<MessageShape<Output>>(queueLengthMax, cancel);
    const onAbort = (): void => {
      queue.close();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await link.exchange.subscribe(jsonRpcName(method), params, openTimeoutMs, {
        opened: (subscription) => {
          number = subscription;
          if (signal.aborted) {
            cancel();
          }
        },
        message: (json) => {
          try {
            queue.push(readMessage(method.output, json));
          } catch (error) {
            // It is this stream's misfortune alone.
            cancel();
            queue.fail(asTradewireError(error));
          }
        },
        closed: (error) => {
          queue.fail(error);
        },
      });
      for (let next = await queue.next(); next.done !== true; next = await queue.next()) {
        yield next.value;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      queue.close();
    }
  }

  private isStopped(): boolean {
    return this.stop.signal.aborted;
  }

  private get usable(): Link | undefined {
    const { link } = this;
    const isUsable =
      this.current.phase === "live" && link?.closing === undefined && link?.exchange.isLost === false;
    return isUsable ? link : undefined;
  }

  private live(): Link {
    const link = this.usable;
    if (link === undefined) {
      throw new NotSent(new Unavailable("the connection was lost before the call left"));
    }
    return link;
  }

  /** Wait until calls can leave. */
  private async ready(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.isStopped()) {
      throw new NotSent(new ClientClosed("the client is closed"));
    }
    if (this.usable !== undefined) {
      return;
    }
    this.loop ??= this.run();
    await new Promise<void>((resolve, reject) => {
      const done = (error?: TradewireError): void => {
        cancelTimer();
        this.waiters.delete(done);
        signal?.removeEventListener("abort", onAbort);
        if (error === undefined) {
          resolve();
        } else {
          reject(new NotSent(error));
        }
      };
      const onAbort = (): void => {
        done(new ClientClosed("the call was given up"));
      };
      const cancelTimer = this.options.world.after(timeoutMs, () => {
        done(new Unavailable("the connection did not open in time", { cause: this.lastError() }));
      });
      this.waiters.add(done);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  private lastError(): TradewireError | undefined {
    return this.current.phase === "waiting" ? this.current.error : undefined;
  }

  private async run(): Promise<void> {
    const { policy, world } = this.options;
    let failures = 0;
    while (!this.isStopped()) {
      this.become({ phase: "connecting", attempt: failures + 1 });
      const begun = world.monotonicMs();
      let error: TradewireError;
      let retryAfterMs = 0;
      try {
        const link = await this.open();
        this.opened += 1;
        this.become({ phase: "live", account: this.account });
        this.release();
        error = await link.watch();
        retryAfterMs = Math.min(Number(link.closing?.retryAfterMs ?? 0n), RETRY_AFTER_MAX_MS);
      } catch (thrown) {
        error = asTradewireError(thrown);
      }
      this.drop(error);
      if (this.isStopped()) {
        return;
      }
      if (!passes(error)) {
        this.loop = undefined;
        this.become({ phase: "closed", error });
        this.release(error);
        return;
      }
      failures = world.monotonicMs() - begun >= SETTLED_MS ? 1 : failures + 1;
      const delay = retryAfterMs + (error.retryAfterMs ?? 0) + backoffMs(policy, failures, world);
      this.become({
        phase: "waiting",
        attempt: failures,
        retryAtMs: Math.round(world.wallMs() + delay),
        error,
      });
      await sleep(world, delay, this.stop.signal).catch(() => undefined);
    }
  }

  /** Open a socket, sign in and configure; the link is in use from here on. */
  private async open(): Promise<Link> {
    const { world, policy, identity, cancelOnDisconnect } = this.options;
    const timeout = new TimedOut("the connection did not open in time");
    const link = await this.openLink();
    const late = world.after(policy.openTimeoutMs, () => {
      link.exchange.lose(timeout);
    });
    try {
      if (identity !== undefined) {
        // Whoever makes signatures or tickets may take for ever; a lost link does not wait for that.
        await Promise.race([this.signIn(link, identity), failing(link)]);
      }
      if (cancelOnDisconnect) {
        const request = create(ConfigureConnectionRequestSchema, { cancelOnDisconnect });
        const params = writeMessage(ConfigureConnectionRequestSchema, request);
        await link.ask("connection.configure", params, { timeoutMs: policy.openTimeoutMs });
      }
    } finally {
      late();
    }
    return link;
  }

  private openLink(): Promise<Link> {
    return Link.open(this.options, {
      // From here on `close` finds it.
      made: (link) => {
        this.link = link;
      },
      announced: (link, params) => {
        this.announced(link, params);
      },
      settled: () => {
        this.tellDrained();
      },
      answered: ({ roundTripMs, rateLimit }) => {
        this.roundTrip = roundTripMs;
        if (rateLimit !== undefined) {
          this.options.onRateLimit(rateLimit);
        }
      },
    });
  }

  private async signIn(link: Link, identity: Identity): Promise<void> {
    const { world, policy } = this.options;
    const options = { timeoutMs: policy.openTimeoutMs };
    const call = async <Input extends DescMessage, Output extends DescMessage>(
      method: DescMethodUnary<Input, Output>,
      request: MessageShape<Input>,
    ): Promise<MessageShape<Output>> => {
      const params = writeMessage(method.input, request);
      return readMessage(method.output, await link.ask(jsonRpcName(method), params, options));
    };
    const { response, renewAtMs } = await identity.signIn({
      serverTime: () =>
        call(SessionService.method.getServerTime, create(GetServerTimeRequestSchema)),
      createSession: (request) => call(SessionService.method.createSession, request),
    });
    this.signedIn = response;
    const cancel = world.after(Math.max(renewAtMs - world.monotonicMs(), TICK_MS), () => {
      this.renewLater(link);
    });
    void link.lost.then(cancel);
  }

  /** Renew ahead of the end; a failure is tried again while the token lives. */
  private renewLater(link: Link): void {
    this.renew().catch(() => {
      const cancel = this.options.world.after(RENEWAL_PAUSE_MS, () => {
        this.renewLater(link);
      });
      void link.lost.then(cancel);
    });
  }

  private renew(): Promise<void> {
    const { identity } = this.options;
    const { link } = this;
    if (identity === undefined || link === undefined) {
      return Promise.resolve();
    }
    this.renewal ??= this.signIn(link, identity).finally(() => {
      this.renewal = undefined;
    });
    return this.renewal;
  }

  private announced(link: Link, params: unknown): void {
    const { world } = this.options;
    const closing = readMessage(ConnectionClosingSchema, params);
    link.closing = closing;
    this.closings.tell(closing);
    const at = closing.closeTime === undefined ? 0 : timestampMs(closing.closeTime);
    const patience = Math.min(Math.max(at - world.wallMs(), 0), CLOSING_PATIENCE_MS);
    const reason = errorOfAnnouncement(closing);
    link.exchange.whenIdle(() => {
      link.exchange.lose(reason);
    });
    void link.lost.then(
      world.after(patience, () => {
        link.exchange.lose(reason);
      }),
    );
    if (this.current.phase === "live") {
      this.become({ phase: "connecting", attempt: 1 });
    }
  }

  private drop(error: TradewireError): void {
    this.link?.exchange.lose(error);
    this.link = undefined;
  }

  private tellDrained(): void {
    if ((this.link?.exchange.pendingCount ?? 0) <= this.options.policy.pendingMax / 2) {
      for (const resolve of this.drained) {
        resolve();
      }
      this.drained.clear();
    }
  }

  private release(error?: TradewireError): void {
    for (const waiter of [...this.waiters]) {
      waiter(error);
    }
  }

  private become(state: ConnectionState): void {
    this.current = state;
    this.states.tell(state);
  }
}

/** Whether it is worth another attempt. */
function passes(error: TradewireError): boolean {
  return isTransient(error) || error instanceof TicketUnavailable || error instanceof ServerFault;
}

async function failing(link: Link): Promise<never> {
  throw await link.lost;
}

function asTradewireError(thrown: unknown): TradewireError {
  if (thrown instanceof NotSent) {
    return thrown.error;
  }
  return thrown instanceof TradewireError
    ? thrown
    : new ConfigurationError(`signing in failed: ${String(thrown)}`, { cause: thrown });
}
