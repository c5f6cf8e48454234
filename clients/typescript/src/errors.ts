/**
 * What can go wrong, as a tree; all that this package throws about calls is a `TradewireError`.
 * (An argument that cannot be right, such as a number for a price, is a `TypeError`.)
 *
 *     TradewireError
 *     ├── ConfigurationError        the client was set up or used in a way that cannot work
 *     ├── ClientClosed              it was used after it was closed
 *     ├── TooManyPending            too many calls wait for answers: nothing was sent
 *     ├── Refused                   certain: no effect, no execution, the client order id stays free
 *     │   ├── InvalidRequest        a field is wrong: see `fieldViolations`
 *     │   ├── AuthenticationError   who is calling is not established
 *     │   ├── PermissionDenied      who is calling is known and may not do this
 *     │   ├── NotFound              there is no such order, instrument, account or key
 *     │   ├── AlreadyExists         the id was used for something else
 *     │   ├── FailedPrecondition    the state does not allow it, e.g. the order is closed
 *     │   ├── OutOfRange            the sequence asked for is not available: `first`, `last`
 *     │   ├── Exhausted             a limit is used up
 *     │   │   └── RateLimited       a rate limit: wait for `retryAfterMs`
 *     │   ├── DeadlinePassed        it came too late to the engine, and was dropped
 *     │   └── NotServing            the venue is overloaded, starting or stopping
 *     ├── Rejected                  certain: an execution says so, and the client order id is taken
 *     ├── UnknownOutcome            it may or may not have happened: ask `orders.get`
 *     ├── Unavailable               the venue cannot be reached, and nothing was changed
 *     │   └── TimedOut              no answer in time
 *     ├── ServerFault               an answer outside the catalogue of errors
 *     ├── StreamClosed              the venue ended a stream for good
 *     └── ProtocolViolation         the venue broke its contract; what came before it is still good
 *         ├── SequenceGap           executions or ledger entries are missing
 *         ├── SequenceRepeated      they came again
 *         ├── JournalChanged        another or a restored venue: its numbers do not continue yours
 *         └── BookCorrupted         a copy of an order book fails its check again and again
 *
 * Nothing here is a copy of the catalogue. Which class an error gets follows from two things that
 * the venue says with every error: the canonical code, and in `ErrorInfo` whether it was refused,
 * rejected, or nobody knows. So reasons that are newer than this package arrive in the right class,
 * with their name in `reasonName`.
 */

import { REASONS, type STATUS_CODES } from "./gen/annotations.js";

/** A canonical status code, e.g. `INVALID_ARGUMENT`. */
export type StatusCode = keyof typeof STATUS_CODES;

/** A reason of the catalogue, e.g. `INSUFFICIENT_FUNDS`. */
export type ReasonName = keyof typeof REASONS;

/** What is certain about a request that failed, as the venue says it. */
export type Outcome = "refused" | "rejected" | "unknown";

/** One field that is wrong, and why. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** What is known of an error beside its text. */
export interface ErrorDetails {
  readonly code?: StatusCode | undefined;
  readonly reasonName?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fieldViolations?: readonly FieldViolation[];
  readonly cause?: unknown;
}

/** The root of the tree. */
export class TradewireError extends Error {
  /** The canonical code; undefined when no answer of the venue stands behind the error. */
  readonly code: StatusCode | undefined;
  /** The name of the reason, also of one that this version does not know; empty if there is none. */
  readonly reasonName: string;
  /** What the text mentions, by name. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The fields that are wrong, where the venue named them. */
  readonly fieldViolations: readonly FieldViolation[];

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = details.code;
    this.reasonName = details.reasonName ?? "";
    this.metadata = details.metadata ?? {};
    this.fieldViolations = details.fieldViolations ?? [];
  }

  /** The machine-readable cause; undefined when there is none, or one that this version does not know. */
  get reason(): ReasonName | undefined {
    return isReasonName(this.reasonName) ? this.reasonName : undefined;
  }

  /** What the venue says about the effect; undefined when it said nothing. */
  get outcome(): Outcome | undefined {
    const said = this.metadata["outcome"];
    return said === "refused" || said === "rejected" || said === "unknown" ? said : undefined;
  }

  /** What to do next, one sentence, or empty. */
  get advice(): string {
    return this.metadata["advice"] ?? "";
  }

  /** Whether the same request may succeed later without a change. */
  get retryable(): boolean {
    return this.metadata["retryable"] === "true";
  }

  /** Milliseconds after which the same call would pass; undefined when nobody can say. */
  get retryAfterMs(): number | undefined {
    return integer(this.metadata["retry_after_ms"]);
  }
}

/** The client was set up or used in a way that cannot work; nothing was sent. */
export class ConfigurationError extends TradewireError {}

/** The client, or the stream, was used after it was closed. */
export class ClientClosed extends TradewireError {}

/** Too many calls wait for answers on the connection; nothing was sent. */
export class TooManyPending extends TradewireError {}

/** Certain: no effect, no execution, and the client order id stays free. */
export class Refused extends TradewireError {}

/** A field is wrong; `fieldViolations` names it where it is a single one. */
export class InvalidRequest extends Refused {}

/** Who is calling is not established. */
export class AuthenticationError extends Refused {}

/** Who is calling is known and may not do this. */
export class PermissionDenied extends Refused {}

/** There is no such order, instrument, account or key for this credential. */
export class NotFound extends Refused {}

/** The id was used for something else. */
export class AlreadyExists extends Refused {}

/** The state of things does not allow it, e.g. the order is closed. */
export class FailedPrecondition extends Refused {}

/** The sequence asked for is beyond the head or older than what is kept: take a snapshot. */
export class OutOfRange extends Refused {
  /** The first number that is available. */
  get first(): bigint | undefined {
    return bigInteger(this.metadata["first_available"]);
  }

  /** The newest number. */
  get last(): bigint | undefined {
    return bigInteger(this.metadata["last_available"]);
  }
}

/** A limit is used up. */
export class Exhausted extends Refused {}

/** A rate limit is used up; wait for `retryAfterMs`. */
export class RateLimited extends Exhausted {}

/** The deadline or `validUntil` passed while the command waited; it was dropped. */
export class DeadlinePassed extends Refused {}

/** The venue is overloaded, starting or stopping, and did nothing. */
export class NotServing extends Refused {}

/** Certain: the order is rejected. There is an execution that says so, and its id is taken. */
export class Rejected extends TradewireError {}

/**
 * It may or may not have happened.
 *
 * `clientOrderId` is what to ask with: `orders.get({ clientOrderId })` finds the order, or throws
 * NotFound, which means that the command had no effect and will have none. The cause is the last
 * failure.
 */
export class UnknownOutcome extends TradewireError {
  readonly clientOrderId: string;
  readonly attempts: number;

  constructor(
    message: string,
    about: { readonly clientOrderId?: string; readonly attempts?: number; readonly cause?: unknown },
  ) {
    super(message, { cause: about.cause });
    this.clientOrderId = about.clientOrderId ?? "";
    this.attempts = about.attempts ?? 1;
  }

  override get outcome(): Outcome {
    return "unknown";
  }
}

/** The venue cannot be reached, and nothing was changed. */
export class Unavailable extends TradewireError {}

/** No answer in time. */
export class TimedOut extends Unavailable {}

/** An answer outside the catalogue of errors. */
export class ServerFault extends TradewireError {}

/** The venue ended a stream for good; `resumeAfter` is the last number that it had sent. */
export class StreamClosed extends TradewireError {
  resumeAfter: bigint | undefined;
}

/** The venue broke its contract; what came before it is still good. */
export class ProtocolViolation extends TradewireError {}

/** Numbers are missing; everything up to `lastSequence` was handed out. */
export class SequenceGap extends ProtocolViolation {
  constructor(
    what: string,
    readonly lastSequence: bigint,
    readonly received: bigint,
  ) {
    super(`${what} ${String(lastSequence + 1n)} to ${String(received - 1n)} are missing`);
  }
}

/** A number came again; everything up to `lastSequence` was handed out. */
export class SequenceRepeated extends ProtocolViolation {
  constructor(
    what: string,
    readonly lastSequence: bigint,
    readonly received: bigint,
  ) {
    super(`${what} ${String(received)} came after ${String(lastSequence)}`);
  }
}

/** Another or a restored venue: its numbers do not continue those that were handed out. */
export class JournalChanged extends ProtocolViolation {
  constructor(
    readonly expected: string,
    readonly received: string,
    readonly lastSequence: bigint | undefined,
  ) {
    super(
      `the journal is ${JSON.stringify(received)} and was ${JSON.stringify(expected)}: compare your ` +
        "records with the venue, then follow again with a snapshot",
    );
  }
}

/** A copy of an order book fails its check again and again, also after fresh snapshots. */
export class BookCorrupted extends ProtocolViolation {}

/** Whether a new sign-in may help. */
export function needsSignIn(error: TradewireError): boolean {
  return (
    error.reason === "TOKEN_EXPIRED" ||
    error.reason === "TOKEN_INVALID" ||
    error.reason === "CREDENTIAL_ENDED"
  );
}

/**
 * Whether an answer to a repeated command also says what became of its first sending.
 *
 * The venue looks a client order id up before any other rule of the engine. So an answer from there
 * is about all sendings, while one from before, such as a rate limit, is about the last one only.
 */
export function settles(error: TradewireError): boolean {
  const beforeTheEngine =
    error instanceof AuthenticationError ||
    error instanceof PermissionDenied ||
    error instanceof Exhausted ||
    error instanceof DeadlinePassed ||
    error instanceof NotServing ||
    error.code === "INTERNAL";
  return error instanceof Rejected || (error instanceof Refused && !beforeTheEngine);
}

/** Whether the same call may succeed a little later, and does no harm. */
export function isTransient(error: TradewireError): boolean {
  if (error instanceof Rejected) {
    // Its id is taken: the same request gets the same answer for ever.
    return false;
  }
  if (error instanceof Refused || error instanceof StreamClosed) {
    return error.retryable;
  }
  // Cut in the middle, calls end in these codes.
  const cut = error instanceof ServerFault && (error.code === "CANCELLED" || error.code === "INTERNAL");
  return error instanceof Unavailable || cut;
}

function isReasonName(name: string): name is ReasonName {
  return Object.hasOwn(REASONS, name);
}

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

function bigInteger(text: string | undefined): bigint | undefined {
  return text !== undefined && /^[0-9]{1,20}$/.test(text) ? BigInt(text) : undefined;
}
