/** The account's money: balances, positions and fees, fetched again after what changes them. */
import { signal } from "@preact/signals";
import { ZERO, type Decimal } from "../money/decimal.js";
import type { Account, Balance, Position } from "../domain/types.js";
import type { AccountSnapshot, Venue } from "../venue/venue.js";
import { failed, LOADING, READY, type Loading } from "./loading.js";

/** At most so often, however fast it trades: a read costs rate-limit units that orders could use. */
const REFRESH_MS = 300;
const RETRY_MS = 2_000;

export class AccountStore {
  readonly loading = signal<Loading>(LOADING);
  readonly account = signal<Account | undefined>(undefined);
  readonly balances = signal<readonly Balance[]>([]);
  readonly positions = signal<readonly Position[]>([]);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #busy = false;
  #again = false;
  #ended = false;

  constructor(private readonly venue: Venue) {}

  /** What can be used of an asset; zero before it is known and of what the account never had. */
  available(asset: string): Decimal {
    return this.balances.value.find((balance) => balance.asset === asset)?.available ?? ZERO;
  }

  async load(): Promise<void> {
    try {
      this.account.value = await this.venue.account();
    } catch (error) {
      this.loading.value = failed(error);
    }
  }

  begin(snapshot: AccountSnapshot): void {
    this.balances.value = snapshot.balances;
    this.positions.value = snapshot.positions;
    this.loading.value = READY;
  }

  /** Says that something changed: soon it will be fetched. */
  touch(): void {
    if (this.#ended) return;
    if (this.#busy) this.#again = true;
    else this.#timer ??= setTimeout(() => void this.#fetch(), REFRESH_MS);
  }

  dispose(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  async #fetch(): Promise<void> {
    this.#timer = undefined;
    this.#busy = true;
    try {
      const [balances, positions] = await Promise.all([this.venue.balances(), this.venue.positions()]);
      if (this.#ended) return;
      this.balances.value = balances;
      this.positions.value = positions;
      this.loading.value = READY;
    } catch {
      // What is shown is old; it is fetched again until it is not.
      if (!this.#ended) this.#timer = setTimeout(() => void this.#fetch(), RETRY_MS);
    } finally {
      this.#busy = false;
      if (this.#again) {
        this.#again = false;
        this.touch();
      }
    }
  }
}
