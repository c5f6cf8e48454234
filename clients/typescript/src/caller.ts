/**
 * Unary calls: repeated where that is safe, over the channel that the caller chose.
 */

import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";

import type { Channel } from "./channel.js";
import { checkFields, type FieldsOf, shown } from "./fields.js";
import { type Answered, type Effect, NotSent, type Retrier } from "./retry.js";

/** How a call is made. */
export interface CallOptions {
  /** Over which channel; that of the client unless given. */
  readonly over?: Over | undefined;
  /** Ends the call early; what was sent may still have an effect. */
  readonly signal?: AbortSignal | undefined;
}

/** The two ways to the venue. */
export type Over = "grpc-web" | "websocket";

export const CALL_OPTIONS: FieldsOf<CallOptions> = { over: true, signal: true };

/** @throws TypeError if it is no way to the venue. */
export function checkedOver(over: Over, field: string): Over {
  const ways: Readonly<Record<Over, true>> = { "grpc-web": true, websocket: true };
  if (!Object.hasOwn(ways, over)) {
    throw new TypeError(`${field}: ${shown(over)} is none of ${Object.keys(ways).join(", ")}`);
  }
  return over;
}

/** @throws TypeError if there is an option that is none, or `over` is no way to the venue. */
export function checkCallOptions(
  options: CallOptions,
  fields: Readonly<Record<string, true>> = CALL_OPTIONS,
): void {
  checkFields(options, fields, "options");
  if (options.over !== undefined) {
    checkedOver(options.over, "over");
  }
}

/** What is done, as the retry loop has to know it. */
export interface About extends CallOptions {
  readonly effect?: Effect;
  readonly clientOrderId?: string;
}

export class Caller {
  constructor(
    private readonly channels: Readonly<Record<Over, Channel>>,
    private readonly usual: Over,
    private readonly retrier: Retrier,
  ) {}

  /**
   * Call a method until it is answered, within the bounds of the retry policy.
   *
   * @throws TradewireError see the tree in `errors`.
   */
  async call<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    about: About = {},
  ): Promise<MessageShape<Output>> {
    return (await this.ask(method, request, about)).result;
  }

  /** Call a method as `call` does, and tell what is known of earlier attempts. */
  async ask<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageInitShape<Input>,
    about: About,
  ): Promise<Answered<MessageShape<Output>>> {
    const { effect = "none", clientOrderId, over = this.usual, signal } = about;
    const work = {
      name: method.name,
      effect,
      ...(clientOrderId === undefined ? {} : { clientOrderId }),
    };
    // Made once: what is repeated is the same to the last byte.
    const message = create(method.input, request);
    try {
      return await this.retrier.run(
        work,
        (timeoutMs) => this.channels[over].unary(method, message, { timeoutMs, signal }),
        signal,
      );
    } catch (error) {
      throw error instanceof NotSent ? error.error : error;
    }
  }
}
