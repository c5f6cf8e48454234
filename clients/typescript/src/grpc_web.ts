/**
 * Calls as gRPC-web, through Envoy: works with `fetch`, in browsers and in Node.
 */

import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { ConnectError, type Transport } from "@connectrpc/connect";

import type { AttemptOptions, Channel, RateLimitState } from "./channel.js";
import { needsSignIn, Refused, TradewireError } from "./errors.js";
import { NotSent } from "./retry.js";
import type { Session } from "./session.js";
import { errorOfConnect } from "./status.js";

/** What is learned of the headers of answers. */
export interface Observer {
  rateLimit(state: RateLimitState): void;
  deprecated(method: string, headers: Headers): void;
}

/** Calls as they are: no sign-in, errors of the tree. */
export class PlainCalls {
  constructor(
    private readonly transport: Transport,
    private readonly observer: Observer,
  ) {}

  async unary<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageShape<Input>,
    options: AttemptOptions,
    token?: string,
  ): Promise<MessageShape<Output>> {
    try {
      const response = await this.transport.unary(
        method,
        options.signal,
        options.timeoutMs,
        authorization(token),
        request,
      );
      this.observe(method.name, response.header);
      return response.message;
    } catch (error) {
      if (error instanceof ConnectError) {
        this.observe(method.name, error.metadata);
      }
      throw errorOfConnect(error);
    }
  }

  async *stream<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageShape<Input>,
    signal: AbortSignal,
    token?: string,
  ): AsyncGenerator<MessageShape<Output>> {
    try {
      const response = await this.transport.stream(
        method,
        signal,
        undefined,
        authorization(token),
        once(request as MessageInitShape<Input>),
      );
      this.observe(method.name, response.header);
      yield* response.message;
    } catch (error) {
      throw errorOfConnect(error);
    }
  }

  private observe(method: string, headers: Headers): void {
    const [limit, remaining, reset] = ["limit", "remaining", "reset"].map((name) => {
      const text = headers.get(`ratelimit-${name}`) ?? "";
      return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
    });
    if (limit !== undefined && remaining !== undefined && reset !== undefined) {
      this.observer.rateLimit({ limit, remaining, resetMs: reset * 1000 });
    }
    if (headers.has("deprecation")) {
      this.observer.deprecated(method, headers);
    }
  }
}

/** Calls that sign in. */
export class GrpcWebChannel implements Channel {
  constructor(
    private readonly calls: PlainCalls,
    private readonly session: Session,
  ) {}

  async unary<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageShape<Input>,
    options: AttemptOptions,
  ): Promise<MessageShape<Output>> {
    const token = await this.token();
    try {
      return await this.calls.unary(method, request, options, token);
    } catch (error) {
      if (!this.refusedToken(error, token)) {
        throw error;
      }
    }
    // Refused at the door: nothing happened, so this is no repetition.
    return this.calls.unary(method, request, options, await this.token());
  }

  async *stream<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageShape<Input>,
    signal: AbortSignal,
  ): AsyncGenerator<MessageShape<Output>> {
    const token = await this.session.token();
    try {
      yield* this.calls.stream(method, request, signal, token);
    } catch (error) {
      this.refusedToken(error, token);
      throw error;
    }
  }

  private async token(): Promise<string | undefined> {
    try {
      return await this.session.token();
    } catch (error) {
      throw error instanceof TradewireError ? new NotSent(error) : error;
    }
  }

  private refusedToken(error: unknown, token: string | undefined): boolean {
    return error instanceof Refused && needsSignIn(error) && this.session.invalidate(token);
  }
}

function authorization(token: string | undefined): HeadersInit {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

// Sends a single message, then the end.
// eslint-disable-next-line @typescript-eslint/require-await -- a stream of one needs no waiting
async function* once<Message>(message: Message): AsyncGenerator<Message> {
  yield message;
}
