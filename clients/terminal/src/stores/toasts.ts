/** Short messages that come and go; a screen reader reads them as they come. */
import { signal } from "@preact/signals";

export type ToastKind = "good" | "bad" | "plain";

export interface Toast {
  readonly id: number;
  readonly kind: ToastKind;
  readonly title: string;
  readonly text: string;
}

const SHOWN_MAX = 4;
const LIFETIME_MS = 6_000;
/** What went wrong stays longer: it has to be read. */
const LIFETIME_BAD_MS = 12_000;

export class ToastStore {
  readonly shown = signal<readonly Toast[]>([]);
  #last = 0;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  show(kind: ToastKind, title: string, text = ""): void {
    const toast = { id: ++this.#last, kind, title, text };
    const kept = this.shown.peek().slice(-(SHOWN_MAX - 1));
    for (const one of this.shown.peek()) if (!kept.includes(one)) this.#forget(one.id);
    this.shown.value = [...kept, toast];
    this.#start(toast);
  }

  dismiss(id: number): void {
    this.#forget(id);
    this.shown.value = this.shown.peek().filter((toast) => toast.id !== id);
  }

  /** Stops the clocks while somebody reads. */
  hold(): void {
    for (const id of this.#timers.keys()) this.#forget(id);
  }

  /** Starts them again. */
  release(): void {
    for (const toast of this.shown.peek()) this.#start(toast);
  }

  dispose(): void {
    this.hold();
    this.shown.value = [];
  }

  #start(toast: Toast): void {
    this.#forget(toast.id);
    const lifetime = toast.kind === "bad" ? LIFETIME_BAD_MS : LIFETIME_MS;
    this.#timers.set(
      toast.id,
      setTimeout(() => {
        this.dismiss(toast.id);
      }, lifetime),
    );
  }

  #forget(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }
}
