/**
 * REST requests signed one by one, for those who want no session: the signing guide in code.
 */

import { create } from "@bufbuild/protobuf";

import { checkedUrl } from "./client_options.js";
import { ConfigurationError, TradewireError, Unavailable } from "./errors.js";
import { checkFields, type FieldsOf } from "./fields.js";
import { GetServerTimeResponseSchema } from "./gen/tradewire/v1/session_service_pb.js";
import { type Key, signRequest } from "./keys.js";
import { errorOfJson } from "./status.js";
import { REAL_WORLD, type World } from "./world.js";

/** A request of REST; `body` is sent as JSON, as the very text that is signed. */
export interface RestRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The path with its query, e.g. `/v1/orders?symbol=BTC-USD`. */
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export interface SignedRestOptions {
  readonly url: string;
  readonly key: Key;
  /** The venue's name for itself; unless given, the venue is asked. */
  readonly environment?: string | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly world?: World | undefined;
}

const REQUEST: FieldsOf<RestRequest> = { method: true, path: true, body: true, signal: true };
const OPTIONS: FieldsOf<SignedRestOptions> = {
  url: true,
  key: true,
  environment: true,
  fetch: true,
  world: true,
};

/**
 * Sends signed requests and returns their JSON. Nothing is repeated: a repeat of an order needs the
 * same `clientOrderId` in its body, which is the caller's.
 */
export class SignedRest {
  private readonly origin: string;
  private readonly world: World;
  private clock: Promise<{ readonly offsetMs: number; readonly environment: string }> | undefined;

  /**
   * @throws TypeError if there is an option that is none.
   * @throws ConfigurationError if the URL cannot be used.
   */
  constructor(private readonly options: SignedRestOptions) {
    checkFields(options, OPTIONS, "options");
    // A signature is good once, and tells no secret: it may travel in the clear.
    this.origin = checkedUrl(options.url, true).origin;
    this.world = options.world ?? REAL_WORLD;
  }

  /**
   * Send a request.
   *
   * @throws TradewireError what the venue answered; Unavailable if it did not.
   * @throws TypeError if there is a field that is none; nothing was sent.
   */
  async send(request: RestRequest): Promise<unknown> {
    checkFields(request, REQUEST, "request");
    const { offsetMs, environment } = await (this.clock ??= this.measure());
    const url = new URL(request.path, this.origin);
    if (url.origin !== this.origin) {
      throw new ConfigurationError(`${request.path} is no path`);
    }
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const stamp = {
      environment,
      timestampMs: Math.round(this.world.wallMs() + offsetMs),
      nonce: this.world.nonce(),
    };
    // What is signed is what is sent, after all that URL does to a path.
    const path = `${url.pathname}${url.search}`;
    const headers = await signRequest(this.options.key, stamp, { method: request.method, path, body });
    return this.fetched(url, {
      method: request.method,
      headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
      ...(body === undefined ? {} : { body }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
  }

  private async measure(): Promise<{ offsetMs: number; environment: string }> {
    try {
      const before = this.world.wallMs();
      const answer = await this.fetched(new URL("/v1/time", this.origin), {});
      const { timeMs, environment } = answer as { timeMs: string; environment: string };
      const fixed = this.options.environment ?? environment;
      const time = create(GetServerTimeResponseSchema, { timeMs: BigInt(timeMs), environment });
      if (time.environment !== fixed) {
        throw new ConfigurationError(
          `the venue is ${JSON.stringify(environment)}, and this client is set up for ${JSON.stringify(fixed)}`,
        );
      }
      const middle = (before + this.world.wallMs()) / 2;
      return { offsetMs: Number(time.timeMs) - middle, environment };
    } catch (error) {
      this.clock = undefined;
      throw error;
    }
  }

  private async fetched(url: URL, init: RequestInit): Promise<unknown> {
    let response: Response;
    let text: string;
    try {
      response = await (this.options.fetch ?? fetch)(url, init);
      text = await response.text();
    } catch (cause) {
      throw new Unavailable("the venue did not answer", { code: "UNAVAILABLE", cause });
    }
    let json: unknown;
    try {
      json = text === "" ? {} : JSON.parse(text);
    } catch (cause) {
      throw new TradewireError(`the venue answered ${String(response.status)} without JSON`, { cause });
    }
    if (!response.ok) {
      throw errorOfJson(json);
    }
    return json;
  }
}
