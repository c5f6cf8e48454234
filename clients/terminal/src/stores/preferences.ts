/** What a reader likes, kept in this browser: colours and keys. Never anything about an account. */
import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const THEME = "tradewire.theme";
const KEYS = "tradewire.keys";

function read(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    // A browser may forbid it; then nothing is kept.
    return null;
  }
}

function write(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // As above.
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export class Preferences {
  readonly theme = signal<Theme>(themeOf(read(THEME)));
  readonly systemIsDark = signal(dark.matches);
  /** Whether single keys do something; people who dictate turn them off. */
  readonly singleKeys = signal(read(KEYS) !== "off");

  constructor() {
    dark.addEventListener("change", () => {
      this.systemIsDark.value = dark.matches;
    });
    effect(() => {
      write(THEME, this.theme.value);
      document.documentElement.dataset["theme"] = this.isDark ? "dark" : "light";
    });
    effect(() => {
      write(KEYS, this.singleKeys.value ? "on" : "off");
    });
  }

  get isDark(): boolean {
    return this.theme.value === "system" ? this.systemIsDark.value : this.theme.value === "dark";
  }

  /** Goes to the other colours. */
  toggleTheme(): void {
    this.theme.value = this.isDark ? "light" : "dark";
  }
}

function themeOf(text: string | null): Theme {
  return text === "light" || text === "dark" ? text : "system";
}
