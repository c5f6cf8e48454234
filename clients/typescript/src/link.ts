/**
 * One socket of a connection, from its opening until it is lost: it does not come back.
 */

import type { JsonValue } from "@bufbuild/protobuf";

import type { AttemptOptions } from "./channel.js";
import { errorOfClose } from "./closing.js";
import type { ConnectionPolicy } from "./connection_policy.js";
import { TimedOut, TooManyPending, type TradewireError } from "./errors.js";
import { SessionService } from "./gen/tradewire/v1/session_service_pb.js";
import type { ConnectionClosing } from "./gen/tradewire/v1/websocket_pb.js";
import { type Answer, Exchange } from "./json_rpc.js";
import { NotSent } from "./retry.js";
import type { OpenSocket, SocketEvents } from "./socket/socket.js";
import { jsonRpcName } from "./wire.js";
import type { World } from "./world.js";

/** How often a link is looked after. */
export const TICK_MS = 1_000;

/** What a link is made of. */
export interface LinkOptions {
  readonly url: string;
  readonly compression: boolean;
  readonly policy: ConnectionPolicy;
  readonly world: World;
  readonly openSocket: OpenSocket;
}

/** Told what happens on a link. */
export interface LinkEvents {
  /** There is a socket; it is not open yet. */
  made(link: Link): void;
  /** The venue is about to end it. */
  announced(link: Link, params: unknown): void;
  /** A call ended, with an answer or without. */
  settled(): void;
  answered(answer: Answer): void;
}

/** See the head of this file. */
export class Link {
  /** What the venue said about the end that is coming. */
  closing: ConnectionClosing | undefined;

  private constructor(
    readonly exchange: Exchange,
    /** Why it was lost, once it is. */
    readonly lost: Promise<TradewireError>,
    private readonly options: LinkOptions,
  ) {}

  /**
   * Open a socket.
   *
   * @throws TradewireError if it did not open, or not in time.
   */
  static async open(options: LinkOptions, told: LinkEvents): Promise<Link> {
    const { world, policy, openSocket, url, compression } = options;
    let lose!: (error: TradewireError) => void;
    const lost = new Promise<TradewireError>((resolve) => {
      lose = resolve;
    });
    return new Promise((resolve, reject) => {
      const exchange = new Exchange({
        world,
        pendingMax: policy.pendingMax,
        send: (text) => {
          socket.send(text);
        },
        notified: (method, params) => {
          if (method === "connection.closing") {
            told.announced(link, params);
          }
        },
        settled: () => {
          told.settled();
        },
        answered: (answer) => {
          told.answered(answer);
        },
        lost: (error) => {
          socket.close();
          lose(error);
          reject(error);
        },
      });
      const late = world.after(policy.openTimeoutMs, () => {
        exchange.lose(new TimedOut("the connection did not open in time"));
      });
      const events: SocketEvents = {
        opened: () => {
          late();
          resolve(link);
        },
        text: (data) => {
          exchange.receive(data);
        },
        alive: () => {
          exchange.alive();
        },
        closed: (code, reason, cause) => {
          late();
          exchange.lose(errorOfClose(code, reason, link.closing, cause));
        },
      };
      const socket = openSocket(url, events, { compression });
      const link = new Link(exchange, lost, options);
      told.made(link);
    });
  }

  /**
   * Make a request and wait for its answer.
   *
   * @throws NotSent if too many wait already.
   * @throws TradewireError if it failed, or the link was lost.
   */
  async ask(name: string, params: JsonValue, options: AttemptOptions): Promise<unknown> {
    const { pendingMax } = this.options.policy;
    if (this.exchange.pendingCount >= pendingMax) {
      throw new NotSent(new TooManyPending(`${String(pendingMax)} calls wait for an answer`));
    }
    return this.exchange.request(name, params, options.timeoutMs, options.signal);
  }

  /** Ask when nothing came for long, until the link is lost; return why. */
  async watch(): Promise<TradewireError> {
    const { world, policy } = this.options;
    let askedAtMs: number | undefined;
    let cancelTick = (): void => undefined;
    const tick = (): void => {
      const now = world.monotonicMs();
      if (now - this.exchange.heardAtMs < policy.askAfterMs) {
        askedAtMs = undefined;
      } else if (askedAtMs === undefined) {
        askedAtMs = now;
        const timeoutMs = policy.quietMs;
        this.ask(jsonRpcName(SessionService.method.getServerTime), {}, { timeoutMs }).catch(
          () => undefined,
        );
      } else if (now - askedAtMs >= policy.quietMs - policy.askAfterMs) {
        // Only after a question: a page in the background has few ticks, and may just not have asked.
        this.exchange.lose(new TimedOut(`nothing came for ${String(policy.quietMs)} ms: the link is dead`));
        return;
      }
      cancelTick = world.after(Math.min(TICK_MS, policy.askAfterMs), tick);
    };
    tick();
    try {
      return await this.lost;
    } finally {
      cancelTick();
    }
  }
}
