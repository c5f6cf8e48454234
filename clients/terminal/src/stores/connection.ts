/** The connection as the venue tells of it: its state, how often it went on, how fast it answers, its limits. */
import { signal } from "@preact/signals";
import type { RateLimit } from "../domain/types.js";
import type { Connection, ConnectionListener } from "../venue/venue.js";

export class ConnectionStore implements ConnectionListener {
  readonly state = signal<Connection>({ phase: "connecting" });
  /** How often the executions went on after an interruption. */
  readonly resumes = signal(0);
  /** The number behind which they went on the last time. */
  readonly resumedAfter = signal<bigint | undefined>(undefined);
  /** How often market data went on after an interruption. */
  readonly marketResumes = signal(0);
  readonly latencyMs = signal<number | undefined>(undefined);
  readonly limit = signal<RateLimit | undefined>(undefined);

  get isLive(): boolean {
    return this.state.value.phase === "live";
  }

  connection(state: Connection): void {
    this.state.value = state;
  }

  resumed(afterSequence: bigint): void {
    this.resumes.value += 1;
    this.resumedAfter.value = afterSequence;
  }

  marketResumed(): void {
    this.marketResumes.value += 1;
  }

  latency(milliseconds: number): void {
    this.latencyMs.value = milliseconds;
  }

  rateLimit(limit: RateLimit): void {
    const known = this.limit.peek();
    if (known?.remaining !== limit.remaining || known.limit !== limit.limit) this.limit.value = limit;
  }
}
