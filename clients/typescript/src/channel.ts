/**
 * What calls travel over: gRPC-web through Envoy, or one WebSocket connection. Both take the same
 * methods and messages, sign in by themselves, and throw errors of the same tree.
 */

import type {
  DescMessage,
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageShape,
} from "@bufbuild/protobuf";

import { METHODS, type MethodRule } from "./gen/annotations.js";

/** How one attempt is made. */
export interface AttemptOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A way to the venue. */
export interface Channel {
  /**
   * Call a method once.
   *
   * @throws NotSent if nothing left.
   * @throws TradewireError if the call failed.
   */
  unary<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodUnary<Input, Output>,
    request: MessageShape<Input>,
    options: AttemptOptions,
  ): Promise<MessageShape<Output>>;

  /** Open a stream; it ends with the signal, or throws a TradewireError. */
  stream<Input extends DescMessage, Output extends DescMessage>(
    method: DescMethodServerStreaming<Input, Output>,
    request: MessageShape<Input>,
    signal: AbortSignal,
  ): AsyncIterable<MessageShape<Output>>;
}

/** State of the tightest rate limit, as an answer told it. */
export interface RateLimitState {
  /** Burst, in rate-limit units. */
  readonly limit: number;
  /** Units left. */
  readonly remaining: number;
  /** Milliseconds until the limit is whole again. */
  readonly resetMs: number;
}

/** What the contract says about a method; undefined for those of the admin listener. */
export function ruleOf(method: DescMethod): MethodRule | undefined {
  const rules: Readonly<Record<string, MethodRule>> = METHODS;
  return rules[`${method.parent.typeName}/${method.name}`];
}
