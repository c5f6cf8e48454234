/** The whole page: signed out, signing in, or with a terminal. */
import { signal } from "@preact/signals";
import { Refusal, signInProblem, type SignInProblem } from "../domain/refusal.js";
import type { Credential, Venue } from "../venue/venue.js";
import { ConnectionStore } from "./connection.js";
import { textOf } from "./loading.js";
import { Preferences } from "./preferences.js";
import { Terminal } from "./terminal.js";

/** What the server says about itself before anybody signs in. */
export interface PageConfig {
  readonly environment: string;
  readonly version: string;
  readonly demo: boolean;
  readonly docs: string;
}

export type Screen =
  | {
      readonly name: "sign-in";
      readonly busy: boolean;
      /** What the last attempt came to, and which way it went. */
      readonly problem?: SignInProblem & { readonly kind: Credential["kind"] };
    }
  | { readonly name: "terminal"; readonly terminal: Terminal };

export class App {
  readonly screen = signal<Screen>({ name: "sign-in", busy: false });
  readonly preferences = new Preferences();

  constructor(
    readonly config: PageConfig,
    private readonly makeVenue: () => Venue,
  ) {}

  /** Signs in; true when the terminal is open. */
  async signIn(credential: Credential): Promise<boolean> {
    this.screen.value = { name: "sign-in", busy: true };
    const venue = this.makeVenue();
    const connection = new ConnectionStore();
    try {
      const session = await venue.signIn(credential, connection);
      const terminal = new Terminal(venue, session, connection);
      this.#leave = async () => {
        terminal.dispose();
        await venue.signOut();
      };
      this.screen.value = { name: "terminal", terminal };
      terminal.start();
      return true;
    } catch (error) {
      const problem = error instanceof Refusal ? signInProblem(error) : { text: textOf(error) };
      this.screen.value = { name: "sign-in", busy: false, problem: { ...problem, kind: credential.kind } };
      await venue.signOut().catch(() => undefined);
      return false;
    }
  }

  /** Forgets everything of the account; the page is as it was when it was opened. */
  async signOut(): Promise<void> {
    const leave = this.#leave;
    this.#leave = undefined;
    this.screen.value = { name: "sign-in", busy: false };
    await leave?.().catch(() => undefined);
  }

  #leave: (() => Promise<void>) | undefined;
}
