/**
 * Clocks, waiting and chance, in one place: tests put others in theirs.
 */

const ID_BYTES = 12;
const NONCE_BYTES = 18;
// What a platform's timer can count; longer ones would fire at once.
const LONGEST_MS = 2 ** 31 - 1;

/** What the client takes from the machine it runs on. */
export interface World {
  /** Milliseconds of a clock that never goes back; its zero means nothing. */
  monotonicMs(): number;
  /** Milliseconds since the epoch, by this machine. */
  wallMs(): number;
  /** A number from 0 up to, but not including, 1. */
  random(): number;
  /** Calls back once after so many milliseconds, unless the returned function was called before. */
  after(milliseconds: number, callback: () => void): () => void;
  /** Text for a signature that was never used before. */
  nonce(): string;
  /** A client order id that nobody else makes. */
  clientOrderId(): string;
}

/** The machine as it is. */
export const REAL_WORLD: World = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  random: () => Math.random(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, Math.min(milliseconds, LONGEST_MS));
    return () => {
      clearTimeout(timer);
    };
  },
  nonce: () => randomText(NONCE_BYTES),
  // A letter ahead: an id has to have a letter or digit, and chance alone could draw none.
  clientOrderId: () => `t${randomText(ID_BYTES)}`,
};

/** Wait; the signal ends the wait early, with its reason as the error. */
export async function sleep(world: World, milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = world.after(milliseconds, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** base64url without padding. */
export function base64url(bytes: Uint8Array): string {
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function randomText(bytes: number): string {
  return base64url(crypto.getRandomValues(new Uint8Array(bytes)));
}
