/** Watches that a sequence continues: 1, 2, 3, ... without a gap or a duplicate. */

export interface SequenceState {
  /** The last number seen; undefined before the first. */
  readonly last: bigint | undefined;
  /** Numbers that never came. */
  readonly missing: bigint;
  /** Numbers that came again, or late. */
  readonly repeated: number;
}

export const UNSEEN: SequenceState = { last: undefined, missing: 0n, repeated: 0 };

/** Starts to watch after a number, e.g. that of a snapshot. */
export function startAfter(sequence: bigint): SequenceState {
  return { ...UNSEEN, last: sequence };
}

/** Takes the next number. */
export function observe(state: SequenceState, sequence: bigint): SequenceState {
  if (state.last === undefined) return { ...state, last: sequence };
  if (sequence <= state.last) return { ...state, repeated: state.repeated + 1 };
  return { ...state, last: sequence, missing: state.missing + (sequence - state.last - 1n) };
}
