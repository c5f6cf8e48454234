/** The keys, in one table: what listens to them and what explains them read the same. */
import type { Terminal } from "../../stores/terminal.js";
import type { Preferences } from "../../stores/preferences.js";
import type { Layout } from "../layout.js";

export interface Shortcut {
  /** As KeyboardEvent.key has it, in lower case. */
  readonly key: string;
  readonly shown: string;
  readonly group: "Order ticket" | "Your orders" | "Page";
  readonly meaning: string;
  readonly act: () => void;
}

const PERCENTAGES = [25, 50, 75, 100];

function focusOn(id: string): boolean {
  const element = document.getElementById(id);
  element?.focus();
  if (element instanceof HTMLInputElement) element.select();
  return element !== null && document.activeElement === element;
}

/** Focuses the first of what a key has brought into view, once it stands there. */
function focusFirst(...places: readonly string[]): void {
  requestAnimationFrame(() => {
    const found = places.map((place) => document.querySelector<HTMLElement>(place)).find((one) => one !== null);
    found?.focus();
  });
}

/** Focuses a field now, or as soon as what was changed stands on the page. */
function focusSoon(id: string): void {
  if (!focusOn(id)) requestAnimationFrame(() => focusOn(id));
}

export function shortcutsOf(terminal: Terminal, layout: Layout, preferences: Preferences): readonly Shortcut[] {
  const { ticket } = terminal;
  const onTicket = (key: string, meaning: string, act: () => void): Shortcut => ({
    key,
    shown: key.toUpperCase(),
    group: "Order ticket",
    meaning,
    act: () => {
      layout.view.value = "trade";
      act();
    },
  });
  const tab = (key: string, meaning: string, name: Parameters<Layout["showTab"]>[0]): Shortcut => ({
    key,
    shown: key.toUpperCase(),
    group: "Your orders",
    meaning,
    act: () => {
      layout.showTab(name);
      // Enter then amends the newest order, Tab and Enter cancel it; a list scrolls with the arrows.
      focusFirst("#lower-panel .actions button", "#lower-panel");
    },
  });
  return [
    onTicket("b", "Buy", () => {
      ticket.setSide("buy");
    }),
    onTicket("s", "Sell", () => {
      ticket.setSide("sell");
    }),
    onTicket("l", "Limit order", () => {
      ticket.setType("limit");
    }),
    onTicket("m", "Market order", () => {
      ticket.setType("market");
    }),
    onTicket("p", "To the price", () => {
      focusSoon("price");
    }),
    onTicket("q", "To the quantity", () => {
      focusSoon("quantity");
    }),
    ...PERCENTAGES.map((percent, index) =>
      onTicket(String(index + 1), percent === 100 ? "Quantity: all that is available" : `Quantity: ${percent}% of what is available`, () => {
        ticket.takePercent(percent);
      }),
    ),
    tab("o", "Open orders; Enter amends the newest", "orders"),
    tab("e", "Executions", "executions"),
    tab("h", "Order history", "history"),
    tab("a", "Balances", "balances"),
    tab("n", "Positions", "positions"),
    {
      key: "x",
      shown: "X",
      group: "Your orders",
      meaning: "Cancel all (asks first)",
      act: () => {
        layout.showTab("orders");
        layout.confirmingCancel.value = true;
      },
    },
    {
      key: "/",
      shown: "/",
      group: "Page",
      meaning: "Choose an instrument",
      act: () => {
        layout.dialog.value = "instruments";
      },
    },
    {
      key: "t",
      shown: "T",
      group: "Page",
      meaning: "Light or dark colours",
      act: () => {
        preferences.toggleTheme();
      },
    },
    {
      key: "?",
      shown: "?",
      group: "Page",
      meaning: "These keys",
      act: () => {
        layout.dialog.value = "help";
      },
    },
  ];
}

const TYPING = "input:not([type=radio]):not([type=checkbox]), textarea, select";

/** Listens to the keys of the whole page; returns what ends it. */
export function listenToKeys(terminal: Terminal, layout: Layout, preferences: Preferences): () => void {
  const byKey = new Map(shortcutsOf(terminal, layout, preferences).map((shortcut) => [shortcut.key, shortcut]));
  const press = (event: KeyboardEvent): void => {
    if (layout.dialog.peek() !== undefined || event.defaultPrevented) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      document.querySelector<HTMLFormElement>(".ticket-form")?.requestSubmit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const target = event.target as Element | null;
    if (target?.matches(TYPING) === true) {
      if (event.key === "Escape") (target as HTMLElement).blur();
      return;
    }
    if (!preferences.singleKeys.peek()) return;
    const shortcut = byKey.get(event.key.toLowerCase());
    if (shortcut === undefined) return;
    event.preventDefault();
    shortcut.act();
  };
  document.addEventListener("keydown", press);
  return () => {
    document.removeEventListener("keydown", press);
  };
}
