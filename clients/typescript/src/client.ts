/**
 * The client: builds every part once, in the order in which calls pass through them.
 */

import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { readText } from "#files";
import { openSocket } from "#socket";

import { AccountReader, Executions } from "./account.js";
import { Caller, type CallOptions, type Over } from "./caller.js";
import { type Channel, type RateLimitState, ruleOf } from "./channel.js";
import { Connection } from "./connection.js";
import { CONNECTION_POLICY, type ConnectionPolicy } from "./connection_policy.js";
import { ConfigurationError } from "./errors.js";
import { CreateTicketRequestSchema, SessionService } from "./gen/tradewire/v1/session_service_pb.js";
import { GrpcWebChannel, PlainCalls } from "./grpc_web.js";
import { type Credentials, Identity } from "./identity.js";
import { type KeyEntry, keyFromEntry } from "./keys.js";
import { Keys } from "./keyring.js";
import { Listeners } from "./listeners.js";
import { Market } from "./market.js";
import { Orders } from "./orders.js";
import { Retrier, RETRY_POLICY, type RetryPolicy } from "./retry.js";
import { Session } from "./session.js";
import type { OpenSocket } from "./socket/socket.js";
import { type Resumed, STREAM_POLICY, type StreamPolicy } from "./stream.js";
import { REAL_WORLD, type World } from "./world.js";

const SOCKET_PATH = "/v1/ws";
const LOOPBACK = /^(localhost|127(\.[0-9]+){3}|\[::1\])$/;

/** How a client is set up. */
export interface ClientOptions {
  /** Where the venue's REST edge is, e.g. `https://venue.example`; in a page `location.origin`. */
  readonly url: string;
  /** With what to sign in; without it only market data can be read. */
  readonly credentials?: Credentials | undefined;
  /**
   * The venue's name for itself, which is part of every signature. Unless given, the venue is asked;
   * give it where a signature must never be good for another venue.
   */
  readonly environment?: string | undefined;
  /** Over which channel calls go, unless a call says otherwise; gRPC-web unless given. */
  readonly calls?: Over | undefined;
  /** Over which channel streams go; WebSocket unless given. */
  readonly streams?: Over | undefined;
  /** Where the WebSocket is; `/v1/ws` of `url` unless given. */
  readonly socketUrl?: string | undefined;
  /** Cancel the orders placed over WebSocket when the connection ends, however it ends. */
  readonly cancelOnDisconnect?: boolean | undefined;
  /**
   * Compress what travels over WebSocket, in Node; browsers always offer it. Saves much of the volume
   * of market data, and costs both sides time for each message: not unless given.
   */
  readonly compression?: boolean | undefined;
  /** Speak in the clear to another machine, too. */
  readonly allowPlaintext?: boolean | undefined;
  /** How unary calls are repeated. */
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** How streams are watched and opened again. */
  readonly streamPolicy?: Partial<StreamPolicy> | undefined;
  /** How the WebSocket connection is kept. */
  readonly connectionPolicy?: Partial<ConnectionPolicy> | undefined;
  /** Told once per method that it will end; the console unless given. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Clocks and chance, for tests. */
  readonly world?: World | undefined;
  /** Carries gRPC-web, for tests. */
  readonly transport?: Transport | undefined;
  /** Opens sockets, for tests. */
  readonly openSocket?: OpenSocket | undefined;
}

/** A client of one venue, for one credential. */
export class Client {
  readonly session: Session;
  readonly connection: Connection;
  readonly orders: Orders;
  readonly executions: Executions;
  readonly account: AccountReader;
  readonly market: Market;
  readonly keys: Keys;

  private readonly caller: Caller;
  private readonly rateLimits = new Listeners<RateLimitState>();
  private readonly resumed = new Listeners<Resumed>();
  private lastRateLimit: RateLimitState | undefined;
  private resumes = 0;
  private readonly toldDeprecated = new Set<string>();

  constructor(private readonly options: ClientOptions) {
    const url = checkedUrl(options.url, options.allowPlaintext ?? false);
    const world = options.world ?? REAL_WORLD;
    const retrier = new Retrier({ ...RETRY_POLICY, ...options.retry }, world);
    const { credentials, environment = "" } = options;
    const onRateLimit = (state: RateLimitState): void => {
      this.lastRateLimit = state;
      this.rateLimits.tell(state);
    };
    const plain = new PlainCalls(
      options.transport ?? createGrpcWebTransport({ baseUrl: url.href.replace(/\/$/, "") }),
      {
        rateLimit: onRateLimit,
        deprecated: (method, headers) => {
          this.tellDeprecated(method, headers);
        },
      },
    );
    this.session = new Session(plain, credentials, environment, retrier, world);
    const grpcWeb = new GrpcWebChannel(plain, this.session);
    this.connection = new Connection({
      url: options.socketUrl ?? socketUrl(url),
      identity: this.identityOfConnection(grpcWeb, environment, world),
      cancelOnDisconnect: options.cancelOnDisconnect ?? false,
      compression: options.compression ?? false,
      policy: { ...CONNECTION_POLICY, ...options.connectionPolicy },
      world,
      openSocket: options.openSocket ?? openSocket,
      onRateLimit,
    });
    const channels: Record<Over, Channel> = { "grpc-web": grpcWeb, websocket: this.connection };
    this.caller = new Caller(channels, options.calls ?? "grpc-web", retrier);
    const streams = channels[options.streams ?? "websocket"];
    const plumbing = {
      policy: { ...STREAM_POLICY, ...options.streamPolicy },
      world,
      onResume: (resumed: Resumed): void => {
        this.resumes += 1;
        this.resumed.tell(resumed);
      },
    };
    this.market = new Market(this.caller, streams, plumbing);
    this.account = new AccountReader(this.caller, streams, plumbing);
    this.executions = new Executions(this.caller, streams, plumbing, this.account);
    this.orders = new Orders(this.caller, world);
    this.keys = new Keys(this.caller);
  }

  /**
   * A client of the venue that `tradewire up` started, with the key of one of its accounts; in Node.
   *
   * @throws ConfigurationError if the file is not what `tradewire up` writes, or has no such account.
   */
  static async fromDemo(
    options: Partial<ClientOptions> & {
      /** The venue's data directory, `.tradewire` unless given. */
      readonly directory?: string;
      readonly account?: string;
    } = {},
  ): Promise<Client> {
    const { directory = ".tradewire", account = "demo-1", ...others } = options;
    const path = `${directory}/demo.json`;
    const demo = readDemo(path, await readText(path));
    const { rest } = parsed<{ readonly rest: string | null }>(
      `${directory}/venue.json`,
      await readText(`${directory}/venue.json`),
    );
    if (typeof rest !== "string" && others.url === undefined) {
      throw new ConfigurationError(`${directory}: the venue runs without Envoy, so it has no REST edge`);
    }
    const entry = demo.accounts.find((each) => each.account === account);
    if (entry === undefined) {
      const names = demo.accounts.map((each) => each.account).join(", ");
      throw new ConfigurationError(`${path}: no account ${JSON.stringify(account)}, there are ${names}`);
    }
    return new Client({
      url: rest ?? "",
      environment: demo.environment,
      credentials: await keyFromEntry(entry),
      ...others,
    });
  }

  /** State of the tightest rate limit, as the last answer told it. */
  get rateLimit(): RateLimitState | undefined {
    return this.lastRateLimit;
  }

  /** How often streams ended and went on. */
  get resumeCount(): number {
    return this.resumes;
  }

  /** Call back with the state of the rate limit at each answer, until the returned function is called. */
  onRateLimit(listener: (state: RateLimitState) => void): () => void {
    return this.rateLimits.add(listener);
  }

  /** Call back when a stream went on, until the returned function is called. */
  onResume(listener: (resumed: Resumed) => void): () => void {
    return this.resumed.add(listener);
  }

  /**
   * Call any unary method of the contract: `client.call(OrderService.method.getOrder, {...})`, with
   * the services of `tradewire-client/contract`. It is repeated if the contract calls it idempotent.
   */
  async call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    options: CallOptions = {},
  ): Promise<MessageShape<Output>> {
    const rule = ruleOf(method);
    const reads = rule?.scope === "read" || rule?.scope === "public";
    const effect = rule?.idempotent !== true ? "once" : reads ? "none" : "repeatable";
    return this.caller.call(method, request, { ...options, effect });
  }

  /** A one-use ticket with which somebody else, such as a page, can sign in within 30 seconds. */
  async createTicket(options: CallOptions = {}): Promise<string> {
    const { createTicket } = SessionService.method;
    // A ticket too many does no harm: it ends by itself.
    return (await this.caller.call(createTicket, {}, options)).ticket;
  }

  /** End the session and the connection; streams that are still open end, too. */
  async close(): Promise<void> {
    await Promise.all([this.connection.close(), this.session.close()]);
  }

  private identityOfConnection(
    grpcWeb: GrpcWebChannel,
    environment: string,
    world: World,
  ): Identity | undefined {
    const { credentials } = this.options;
    if (credentials === undefined) {
      return undefined;
    }
    if (!("token" in credentials)) {
      return new Identity(credentials, environment, world);
    }
    // A page cannot set headers of a WebSocket: the token buys a ticket for it.
    const ticket = async (): Promise<string> => {
      const request = create(CreateTicketRequestSchema);
      const options = { timeoutMs: RETRY_POLICY.attemptTimeoutMs };
      return (await grpcWeb.unary(SessionService.method.createTicket, request, options)).ticket;
    };
    return new Identity({ ticket }, environment, world);
  }

  /** Say once per method that it will end: for whoever keeps the program, not for its flow. */
  private tellDeprecated(method: string, headers: Headers): void {
    if (this.toldDeprecated.has(method)) {
      return;
    }
    this.toldDeprecated.add(method);
    const [sunset, link] = [headers.get("sunset"), headers.get("link")];
    const end = sunset === null ? "" : ` and ends on ${sunset}`;
    const more = link === null ? "" : `, see ${link}`;
    // eslint-disable-next-line no-console -- where warnings go unless the program says otherwise
    const warn = this.options.onWarning ?? console.warn;
    warn(`tradewire-client: ${method} is deprecated${end}${more}`);
  }
}

interface Demo {
  readonly environment: string;
  readonly accounts: readonly (KeyEntry & { readonly account: string })[];
}

function readDemo(path: string, text: string): Demo {
  const { environment, accounts } = parsed<Demo>(path, text);
  if (typeof environment !== "string" || !Array.isArray(accounts)) {
    throw new ConfigurationError(`${path}: not written by \`tradewire up\``);
  }
  return { environment, accounts: accounts as Demo["accounts"] };
}

function parsed<Content>(path: string, text: string): Partial<Content> {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === "object" && content !== null ? content : {};
  } catch (cause) {
    throw new ConfigurationError(`${path}: not JSON`, { cause });
  }
}

function checkedUrl(text: string, allowPlaintext: boolean): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new ConfigurationError(`${JSON.stringify(text)} is no URL`, { cause });
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new ConfigurationError(`${text}: the URL begins with https:// or http://`);
  }
  if (url.protocol === "http:" && !allowPlaintext && !LOOPBACK.test(url.hostname)) {
    throw new ConfigurationError(
      `${text}: other machines are spoken to with https, unless allowPlaintext is set`,
    );
  }
  return url;
}

function socketUrl(url: URL): string {
  const socket = new URL(SOCKET_PATH, url);
  socket.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return socket.href;
}
