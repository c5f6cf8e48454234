/**
 * Where a connection is, and how it is kept.
 */

import type { TradewireError } from "./errors.js";

/** Where a connection is. */
export type ConnectionState =
  | { readonly phase: "idle" }
  | { readonly phase: "connecting"; readonly attempt: number }
  | { readonly phase: "live"; readonly account: string }
  | {
      readonly phase: "waiting";
      readonly attempt: number;
      /** When the next attempt is made, in milliseconds since the epoch. */
      readonly retryAtMs: number;
      readonly error: TradewireError;
    }
  | { readonly phase: "closed"; readonly error?: TradewireError };

/** How a connection is kept. */
export interface ConnectionPolicy {
  /** Time without a message after which the venue is asked for the time. */
  readonly askAfterMs: number;
  /** Time without a message after which the link is dead. */
  readonly quietMs: number;
  /** Time for opening, signing in and configuring. */
  readonly openTimeoutMs: number;
  /** Bound of the first wait; each next one is twice that. */
  readonly initialBackoffMs: number;
  /** Bound of all waits. */
  readonly maximumBackoffMs: number;
  /** Greatest number of unread messages of a stream. */
  readonly queueLengthMax: number;
  /** Greatest number of calls without an answer. */
  readonly pendingMax: number;
}

export const CONNECTION_POLICY: ConnectionPolicy = {
  askAfterMs: 10_000,
  quietMs: 25_000,
  openTimeoutMs: 10_000,
  initialBackoffMs: 100,
  maximumBackoffMs: 5_000,
  queueLengthMax: 1_024,
  pendingMax: 1_000,
};
