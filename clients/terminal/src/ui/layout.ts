/** What is in front: the view of a phone, the open tab of the lower panel, the open dialog. */
import { signal } from "@preact/signals";

export const VIEWS = ["chart", "book", "trade", "orders"] as const;
export type View = (typeof VIEWS)[number];

export const TABS = ["orders", "executions", "history", "balances", "positions"] as const;
export type Tab = (typeof TABS)[number];

export type DialogName = "help" | "instruments";

export class Layout {
  readonly view = signal<View>("trade");
  readonly tab = signal<Tab>("orders");
  /** Of the column between chart and ticket, where it has room for one of them only. */
  readonly depth = signal<"book" | "trades">("book");
  readonly dialog = signal<DialogName | undefined>(undefined);
  /** The button that cancels everything waits for its confirmation. */
  readonly confirmingCancel = signal(false);

  showTab(tab: Tab): void {
    this.tab.value = tab;
    this.view.value = "orders";
  }
}
