/** What belongs to the account, in tabs: orders, executions, history, balances, positions. */
import type { JSX } from "preact";
import type { Tab } from "../../layout.js";
import { useLayout, useTerminal } from "../../context.js";
import { TabPanel, Tabs } from "../../parts/Tabs.js";
import { Balances } from "./Balances.js";
import { CancelAll } from "./CancelAll.js";
import { Executions } from "./Executions.js";
import { OpenOrders } from "./OpenOrders.js";
import { OrderHistory } from "./OrderHistory.js";
import { Positions } from "./Positions.js";

const CONTENT: Readonly<Record<Tab, () => JSX.Element>> = {
  orders: OpenOrders,
  executions: Executions,
  history: OrderHistory,
  balances: Balances,
  positions: Positions,
};

export function LowerPanel(): JSX.Element {
  const layout = useLayout();
  const { orders } = useTerminal();
  const open = orders.open.value.length;
  const chosen = layout.tab.value;
  const Content = CONTENT[chosen];
  return (
    <section class="panel lower" aria-label="Account">
      <header class="panel-head">
        <Tabs
          id="lower"
          label="Account"
          items={[
            { name: "orders", label: "Open orders", badge: open === 0 ? undefined : String(open) },
            { name: "executions", label: "Executions" },
            { name: "history", label: "Order history" },
            { name: "balances", label: "Balances" },
            { name: "positions", label: "Positions" },
          ]}
          chosen={chosen}
          choose={(tab) => {
            layout.tab.value = tab;
          }}
        />
        {chosen === "orders" ? <CancelAll /> : null}
      </header>
      <TabPanel id="lower" chosen={chosen}>
        <Content />
      </TabPanel>
    </section>
  );
}
