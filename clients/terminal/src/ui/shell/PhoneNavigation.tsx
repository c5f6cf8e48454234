/** The views of a phone, at the bottom where thumbs are. */
import type { JSX } from "preact";
import type { View } from "../layout.js";
import { useLayout, useTerminal } from "../context.js";
import { BookIcon, ChartIcon, OrdersIcon, TradeIcon } from "../parts/icons.js";

const ITEMS: readonly { readonly view: View; readonly label: string; readonly Icon: () => JSX.Element }[] = [
  { view: "chart", label: "Chart", Icon: ChartIcon },
  { view: "book", label: "Book", Icon: BookIcon },
  { view: "trade", label: "Trade", Icon: TradeIcon },
  { view: "orders", label: "Account", Icon: OrdersIcon },
];

export function PhoneNavigation(): JSX.Element {
  const layout = useLayout();
  const { orders } = useTerminal();
  const open = orders.open.value.length;
  return (
    <nav class="phone-navigation" aria-label="Views">
      {ITEMS.map(({ view, label, Icon }) => (
        <button
          key={view}
          type="button"
          aria-current={layout.view.value === view ? "page" : undefined}
          onClick={() => {
            layout.view.value = view;
          }}
        >
          <Icon />
          <span>{label}</span>
          {view === "orders" && open > 0 ? <span class="badge">{open}</span> : null}
        </button>
      ))}
    </nav>
  );
}
