/**
 * Signing in over gRPC-web, and staying signed in.
 *
 * The token is renewed in one place and once at a time, however many calls wait for it:
 *
 * - A call that finds a token in the last part of its life goes on with it and starts the renewal
 *   beside it.
 * - A call that finds none, or one that has ended, waits for the renewal.
 * - A token that the venue no longer takes is forgotten, but only if it is still the one that was
 *   refused.
 */

import { create } from "@bufbuild/protobuf";

import { ClientClosed, TradewireError } from "./errors.js";
import type { Scope } from "./gen/tradewire/v1/options_pb.js";
import {
  EndSessionRequestSchema,
  GetServerTimeRequestSchema,
  type GetServerTimeResponse,
  SessionService,
} from "./gen/tradewire/v1/session_service_pb.js";
import type { PlainCalls } from "./grpc_web.js";
import { type Credentials, Identity, type SignedIn } from "./identity.js";
import type { Retrier } from "./retry.js";
import type { World } from "./world.js";

const RENEWAL_PAUSE_MS = 5_000;
const END_TIMEOUT_MS = 1_000;

/** The session of a client: who it is, what it may do, and the venue's clock. */
export class Session {
  private readonly identity: Identity | undefined;
  private readonly staticToken: string | undefined;
  private current: SignedIn | undefined;
  private renewal: Promise<SignedIn> | undefined;
  private pauseUntilMs = 0;
  private closed = false;
  private lastAccount = "";
  private lastScopes: readonly Scope[] = [];

  /** @internal */
  constructor(
    private readonly calls: PlainCalls,
    credentials: Credentials | undefined,
    environment: string,
    private readonly retrier: Retrier,
    private readonly world: World,
  ) {
    if (credentials !== undefined && "token" in credentials) {
      this.staticToken = credentials.token;
    } else if (credentials !== undefined) {
      this.identity = new Identity(credentials, environment, world);
    }
  }

  /** The account that signed in, empty before the first sign-in. */
  get account(): string {
    return this.lastAccount;
  }

  /** What the session permits. */
  get scopes(): readonly Scope[] {
    return this.lastScopes;
  }

  /** Name of the environment, empty before it is known. */
  get environment(): string {
    return this.identity?.environment ?? "";
  }

  /** Venue's clock minus this machine's, in milliseconds; 0 before it was measured. */
  get clockOffsetMs(): number {
    return this.identity?.clockOffsetMs ?? 0;
  }

  /** Ask for the venue's clock. */
  async serverTime(): Promise<GetServerTimeResponse> {
    const answered = await this.retrier.run({ name: "GetServerTime", effect: "none" }, (timeoutMs) =>
      this.calls.unary(
        SessionService.method.getServerTime,
        create(GetServerTimeRequestSchema),
        { timeoutMs },
      ),
    );
    return answered.result;
  }

  /**
   * Create a session now rather than at the first call that needs it.
   *
   * @throws AuthenticationError if the venue does not take the credential.
   */
  async signIn(): Promise<void> {
    if (this.identity !== undefined) {
      await this.renewed(this.identity);
    }
  }

  /** End the session: its token is useless from now on. The next call signs in again. */
  async end(): Promise<void> {
    const token = this.current?.response.token;
    this.current = undefined;
    if (token !== undefined) {
      await this.calls.unary(
        SessionService.method.endSession,
        create(EndSessionRequestSchema),
        { timeoutMs: END_TIMEOUT_MS },
        token,
      );
    }
  }

  /** End the session as far as the venue can be reached, for good. */
  async close(): Promise<void> {
    this.closed = true;
    try {
      await this.end();
    } catch (error) {
      if (!(error instanceof TradewireError)) {
        throw error;
      }
    }
  }

  /**
   * The token for a call, undefined without a credential.
   *
   * @internal
   */
  async token(): Promise<string | undefined> {
    if (this.closed) {
      throw new ClientClosed("the client is closed");
    }
    if (this.identity === undefined) {
      return this.staticToken;
    }
    const now = this.world.monotonicMs();
    if (this.current === undefined || now >= this.current.expiresAtMs) {
      return (await this.renewed(this.identity)).response.token;
    }
    if (now >= this.current.renewAtMs && now >= this.pauseUntilMs) {
      // The call goes on with the old token; what the renewal meets is noted in `renewed`.
      this.renewed(this.identity).catch(() => undefined);
    }
    return this.current.response.token;
  }

  /**
   * Forget this token: the venue did not take it. False if there is no way to another one.
   *
   * @internal
   */
  invalidate(token: string | undefined): boolean {
    if (this.current?.response.token === token) {
      this.current = undefined;
    }
    return this.identity !== undefined;
  }

  private renewed(identity: Identity): Promise<SignedIn> {
    this.renewal ??= this.renew(identity).finally(() => {
      this.renewal = undefined;
    });
    return this.renewal;
  }

  private async renew(identity: Identity): Promise<SignedIn> {
    try {
      const signedIn = await identity.signIn({
        serverTime: () => this.serverTime(),
        createSession: async (request) => {
          const { createSession } = SessionService.method;
          // A ticket is good once, so an attempt without an answer cannot be repeated as it is.
          if (request.proof.case === "ticket") {
            const timeoutMs = this.retrier.policy.attemptTimeoutMs;
            return this.calls.unary(createSession, request, { timeoutMs });
          }
          const { result } = await this.retrier.run(
            { name: "CreateSession", effect: "none" },
            (timeoutMs) => this.calls.unary(createSession, request, { timeoutMs }),
          );
          return result;
        },
      });
      this.current = signedIn;
      this.lastAccount = signedIn.response.account;
      this.lastScopes = signedIn.response.scopes;
      return signedIn;
    } catch (error) {
      this.pauseUntilMs = this.world.monotonicMs() + RENEWAL_PAUSE_MS;
      throw error;
    }
  }
}
