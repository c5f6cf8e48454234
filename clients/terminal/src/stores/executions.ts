/**
 * The account's executions in their one sequence, and what watches that it has no gap.
 *
 * The stream begins with a snapshot at a number; older executions are fetched in pages behind it.
 */
import { batch, signal } from "@preact/signals";
import { observe, startAfter, UNSEEN, type SequenceState } from "../domain/gap.js";
import type { Execution } from "../domain/types.js";
import type { AccountSnapshot, Stop, Venue } from "../venue/venue.js";
import { failed, LOADING, READY, type Loading } from "./loading.js";

const KEPT_MAX = 2_000;
const PAGE = 200n;

/** Who else wants to know. */
export interface ExecutionReader {
  begin(snapshot: AccountSnapshot): void;
  happened(executions: readonly Execution[]): void;
  past(executions: readonly Execution[]): void;
}

export class ExecutionStore {
  readonly loading = signal<Loading>(LOADING);
  readonly loadingOlder = signal(false);
  /** Newest first. */
  readonly list = signal<readonly Execution[]>([]);
  readonly sequence = signal<SequenceState>(UNSEEN);
  /** The oldest number that is shown; nothing older is there when it is 1. */
  readonly oldest = signal<bigint | undefined>(undefined);
  #stop: Stop | undefined;

  constructor(
    private readonly venue: Venue,
    private readonly reader: ExecutionReader,
  ) {}

  open(): void {
    this.#stop?.();
    this.loading.value = LOADING;
    this.#stop = this.venue.followExecutions(
      {
        snapshot: (snapshot) => {
          this.#begin(snapshot);
        },
        executions: (executions) => {
          this.#happened(executions);
        },
      },
      (error) => {
        this.loading.value = failed(error);
      },
    );
  }

  dispose(): void {
    this.#stop?.();
  }

  /** Fetches the page before the oldest execution that is shown. */
  async older(): Promise<void> {
    const oldest = this.oldest.peek();
    if (oldest === undefined || oldest <= 1n || this.loadingOlder.peek()) return;
    this.loadingOlder.value = true;
    try {
      const after = oldest - 1n > PAGE ? oldest - 1n - PAGE : 0n;
      const page = await this.venue.executions(after, Number(oldest - 1n - after));
      const past = page.filter(({ sequence }) => sequence < oldest).toReversed();
      batch(() => {
        this.list.value = [...this.list.peek(), ...past];
        this.oldest.value = past.at(-1)?.sequence ?? 1n;
        this.reader.past(past);
      });
    } catch {
      // The button is still there: whoever wants to see more tries again.
    } finally {
      this.loadingOlder.value = false;
    }
  }

  #begin(snapshot: AccountSnapshot): void {
    batch(() => {
      this.list.value = [];
      this.sequence.value = startAfter(snapshot.asOfSequence);
      this.oldest.value = snapshot.asOfSequence + 1n;
      this.loading.value = READY;
      this.reader.begin(snapshot);
    });
    void this.older();
  }

  #happened(executions: readonly Execution[]): void {
    batch(() => {
      this.sequence.value = executions.reduce((state, { sequence }) => observe(state, sequence), this.sequence.peek());
      const list = [...executions.toReversed(), ...this.list.peek()];
      this.list.value = list.length > KEPT_MAX ? list.slice(0, KEPT_MAX) : list;
      if (list.length > KEPT_MAX) this.oldest.value = this.list.peek().at(-1)?.sequence;
      this.reader.happened(executions);
    });
  }
}
