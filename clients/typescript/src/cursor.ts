/**
 * The place in a numbered sequence: what came last, and whether what comes next continues it.
 *
 * Executions and ledger entries of an account are numbered 1, 2, 3, ... without a gap, across
 * disconnects and restarts of the venue. That promise is worth something only if somebody checks it,
 * so each number that arrives passes through here.
 */

import { JournalChanged, SequenceGap, SequenceRepeated } from "./errors.js";

export class Cursor {
  /** `last` is the number received last, undefined before the place is known. */
  constructor(
    private readonly what: string,
    public last: bigint | undefined,
    public journalId: string,
  ) {}

  /**
   * Take the next number.
   *
   * @throws SequenceGap if numbers before it are missing.
   * @throws SequenceRepeated if it came before.
   */
  advance(number: bigint): void {
    if (this.last !== undefined) {
      if (number > this.last + 1n) {
        throw new SequenceGap(this.what, this.last, number);
      }
      if (number <= this.last) {
        throw new SequenceRepeated(this.what, this.last, number);
      }
    }
    this.last = number;
  }

  /**
   * Take the word of the venue that everything up to a number was sent.
   *
   * @throws SequenceGap if it was not.
   */
  confirm(asOf: bigint): void {
    if (this.last === undefined) {
      this.last = asOf;
    } else if (asOf > this.last) {
      throw new SequenceGap(this.what, this.last, asOf + 1n);
    }
  }

  /** Go on from a snapshot. */
  restart(asOf: bigint): void {
    this.last = asOf;
  }

  /**
   * Compare the identity of the journal, or learn it.
   *
   * @throws JournalChanged if it is another one.
   */
  checkJournal(journalId: string): void {
    if (this.journalId === "") {
      this.journalId = journalId;
    } else if (journalId !== "" && journalId !== this.journalId) {
      throw new JournalChanged(this.journalId, journalId, this.last);
    }
  }
}
