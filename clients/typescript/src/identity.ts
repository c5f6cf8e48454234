/**
 * Who signs in, and by which clock.
 *
 * The clock of this machine may be wrong. Its difference from the venue's is measured before the
 * first sign-in, and again when the venue says that a timestamp is outside its window. Nothing else
 * uses the wall clock: how long a token lives is counted on the monotonic one.
 */

import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";

import { AuthenticationError, ConfigurationError, TradewireError } from "./errors.js";
import {
  type CreateSessionRequest,
  CreateSessionRequestSchema,
  type CreateSessionResponse,
  type GetServerTimeResponse,
} from "./gen/tradewire/v1/session_service_pb.js";
import { type Key, sessionStringToSign, signature } from "./keys.js";
import { sleep, type World } from "./world.js";

/** Asks for a ticket of `CreateTicket`; it is called for every sign-in, since a ticket is good once. */
export interface TicketProvider {
  readonly ticket: () => Promise<string>;
}

/** A session token that somebody else keeps fresh; the client cannot renew it. */
export interface StaticToken {
  readonly token: string;
}

/** With what a client signs in. */
export type Credentials = Key | TicketProvider | StaticToken;

/** The two calls that a sign-in needs, over whichever channel. */
export interface SignInCalls {
  serverTime(): Promise<GetServerTimeResponse>;
  createSession(request: CreateSessionRequest): Promise<CreateSessionResponse>;
}

/** A session and how long it is good, by the monotonic clock. */
export interface SignedIn {
  readonly response: CreateSessionResponse;
  readonly renewAtMs: number;
  readonly expiresAtMs: number;
}

// The part of a token's life after which it is renewed, and the time before its end in which it is
// not used.
const RENEW_AFTER = 0.8;
const SPARE_MS = 2_000;
// Greatest number of measurements for one sign-in; the difference below which the clock was right,
// and the pause before the next try then, times the number of tries.
const MEASUREMENTS_MAX = 3;
const SMALL_MS = 250;
const CLOCK_PAUSE_MS = 500;
const TICKET_TIMEOUT_MS = 10_000;

/** A credential, the environment for which it signs, and the venue's clock. */
export class Identity {
  private measured = false;
  private offsetMs = 0;
  private name: string;

  constructor(
    private readonly credentials: Key | TicketProvider,
    private readonly fixedEnvironment: string,
    private readonly world: World,
  ) {
    this.name = fixedEnvironment;
  }

  /** Name of the environment, empty before it is known. */
  get environment(): string {
    return this.name;
  }

  /** Venue's clock minus this machine's, in milliseconds; 0 before it was measured. */
  get clockOffsetMs(): number {
    return this.offsetMs;
  }

  /**
   * Create a session.
   *
   * @throws AuthenticationError if the venue does not take the credential.
   */
  async signIn(calls: SignInCalls): Promise<SignedIn> {
    if (!this.measured) {
      await this.measure(calls);
    }
    for (let measurements = 0; ; measurements += 1) {
      try {
        return this.accept(await calls.createSession(await this.proof()));
      } catch (error) {
        if (!(error instanceof AuthenticationError)) {
          throw error;
        }
        if (error.reason === "TICKET_INVALID" && measurements === 0) {
          // It grew old on its way, or is one of the venue's former process: the next is fresh.
          continue;
        }
        const late = error.reason === "TIMESTAMP_OUT_OF_WINDOW";
        if (!late || measurements === MEASUREMENTS_MAX) {
          throw error;
        }
      }
      const before = this.offsetMs;
      await this.measure(calls);
      if (Math.abs(this.offsetMs - before) < SMALL_MS) {
        // The clock is right, so the venue has just started: it takes no timestamp that its former
        // process could have seen.
        await sleep(this.world, (measurements + 1) * CLOCK_PAUSE_MS);
      }
    }
  }

  private async measure(calls: SignInCalls): Promise<void> {
    const before = this.world.wallMs();
    const response = await calls.serverTime();
    this.offsetMs = Number(response.timeMs) - Math.round((before + this.world.wallMs()) / 2);
    if (this.fixedEnvironment !== "" && response.environment !== this.fixedEnvironment) {
      throw new ConfigurationError(
        `the venue is ${JSON.stringify(response.environment)}, and this client is set up for ` +
          JSON.stringify(this.fixedEnvironment),
      );
    }
    this.name = response.environment;
    this.measured = true;
  }

  private async proof(): Promise<CreateSessionRequest> {
    if ("ticket" in this.credentials) {
      const ticket = await this.askForTicket(this.credentials);
      return create(CreateSessionRequestSchema, { proof: { case: "ticket", value: ticket } });
    }
    // Every attempt is signed anew: a nonce is good once, and the timestamp must be fresh.
    const stamp = {
      environment: this.name,
      timestampMs: BigInt(Math.round(this.world.wallMs() + this.offsetMs)),
      nonce: this.world.nonce(),
    };
    return create(CreateSessionRequestSchema, {
      proof: {
        case: "signature",
        value: {
          apiKey: this.credentials.apiKey,
          timestampMs: stamp.timestampMs,
          nonce: stamp.nonce,
          signature: await signature(this.credentials, sessionStringToSign(stamp)),
        },
      },
    });
  }

  /** A provider's failure is an error of the tree: whoever waits for the sign-in is told. */
  private async askForTicket(provider: TicketProvider): Promise<string> {
    let cancelTimer = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      cancelTimer = this.world.after(TICKET_TIMEOUT_MS, () => {
        reject(new Error(`none came in ${String(TICKET_TIMEOUT_MS)} ms`));
      });
    });
    try {
      return await Promise.race([provider.ticket(), late]);
    } catch (error) {
      throw error instanceof TradewireError ? error : new TicketUnavailable(error);
    } finally {
      cancelTimer();
    }
  }

  private accept(response: CreateSessionResponse): SignedIn {
    const now = this.world.monotonicMs();
    const expires = response.expireTime === undefined ? 0 : timestampMs(response.expireTime);
    const life = expires - this.world.wallMs() - this.offsetMs;
    return {
      response,
      renewAtMs: now + life * RENEW_AFTER,
      expiresAtMs: now + Math.max(life - SPARE_MS, life * RENEW_AFTER),
    };
  }
}

/** The ticket provider failed; it is asked again later. */
export class TicketUnavailable extends TradewireError {
  constructor(cause: unknown) {
    super(`no ticket: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
