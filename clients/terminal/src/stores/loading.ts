/** The state of something that has to be fetched first. */
import { Refusal } from "../domain/refusal.js";

export type Loading =
  | { readonly phase: "loading" }
  | { readonly phase: "ready" }
  | { readonly phase: "failed"; readonly text: string };

export const LOADING: Loading = { phase: "loading" };
export const READY: Loading = { phase: "ready" };

export function failed(error: unknown): Loading {
  return { phase: "failed", text: textOf(error) };
}

/** Returns a sentence about anything that was thrown. */
export function textOf(error: unknown): string {
  if (error instanceof Refusal) return error.text;
  return error instanceof Error && error.message ? error.message : "Something went wrong. Try again.";
}
