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
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { openSocket } from "#socket";

import { AccountReader, Executions } from "./account.js";
import { Caller, type CallOptions, checkCallOptions, type Over } from "./caller.js";
import { type Channel, type RateLimitState, ruleOf } from "./channel.js";
import { checkedUrl, checkOptions, type ClientOptions, socketUrl } from "./client_options.js";
import { Connection } from "./connection.js";
import { CONNECTION_POLICY } from "./connection_policy.js";
import { type DemoOptions, demoOptions } from "./demo.js";
import { checkMessage } from "./fields.js";
import { CreateTicketRequestSchema, SessionService } from "./gen/tradewire/v1/session_service_pb.js";
import { GrpcWebChannel, PlainCalls } from "./grpc_web.js";
import { Identity } from "./identity.js";
import { Keys } from "./keyring.js";
import { Listeners } from "./listeners.js";
import { Market } from "./market.js";
import { Orders } from "./orders.js";
import { Retrier, RETRY_POLICY } from "./retry.js";
import { Session } from "./session.js";
import { type Resumed, STREAM_POLICY } from "./stream.js";
import { REAL_WORLD, type World } from "./world.js";

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

  /**
   * @throws TypeError if there is an option that is none, or `credentials` or a channel is none.
   * @throws ConfigurationError if the URL cannot be used, or a policy has impossible bounds.
   */
  constructor(private readonly options: ClientOptions) {
    checkOptions(options);
    const { allowPlaintext = false } = options;
    const url = checkedUrl(options.url, allowPlaintext);
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
      url: socketUrl(url, options.socketUrl, allowPlaintext),
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
   * @throws ConfigurationError if the files are not there or not what `tradewire up` writes, or there
   *   is no such account.
   */
  static async fromDemo(options: DemoOptions = {}): Promise<Client> {
    return new Client(await demoOptions(options));
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
    checkMessage(method.input, request);
    checkCallOptions(options);
    const rule = ruleOf(method);
    const reads = rule?.scope === "read" || rule?.scope === "public";
    const effect = rule?.idempotent !== true ? "once" : reads ? "none" : "repeatable";
    return this.caller.call(method, request, { ...options, effect });
  }

  /** A one-use ticket with which somebody else, such as a page, can sign in within 30 seconds. */
  async createTicket(options: CallOptions = {}): Promise<string> {
    checkCallOptions(options);
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
