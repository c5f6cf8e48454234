/** The terminal of somebody who is signed in. */
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { Terminal } from "../../stores/terminal.js";
import { LayoutContext, TerminalContext, useApp, useLayout, useTerminal } from "../context.js";
import { Layout } from "../layout.js";
import { ChartPanel } from "../panels/chart/ChartPanel.js";
import { LadderPanel } from "../panels/Ladder.js";
import { LowerPanel } from "../panels/lower/LowerPanel.js";
import { TicketPanel } from "../panels/ticket/TicketPanel.js";
import { TradesPanel } from "../panels/Trades.js";
import { Choice } from "../parts/Choice.js";
import { ConnectionBanner } from "./ConnectionBanner.js";
import { HelpDialog } from "./HelpDialog.js";
import { InstrumentDialog } from "./InstrumentDialog.js";
import { PhoneNavigation } from "./PhoneNavigation.js";
import { listenToKeys } from "./shortcuts.js";
import { StatusBar } from "./StatusBar.js";
import { Toasts } from "./Toasts.js";
import { TopBar } from "./TopBar.js";

export function Workspace({ terminal }: { readonly terminal: Terminal }): JSX.Element {
  const { preferences } = useApp();
  const layout = useMemo(() => new Layout(), [terminal]);
  useEffect(() => listenToKeys(terminal, layout, preferences), [terminal, layout]);
  return (
    <TerminalContext.Provider value={terminal}>
      <LayoutContext.Provider value={layout}>
        <TopBar />
        <ConnectionBanner />
        <Panels />
        <PhoneNavigation />
        <StatusBar />
        <Toasts />
        <Dialogs />
      </LayoutContext.Provider>
    </TerminalContext.Provider>
  );
}

function Panels(): JSX.Element {
  const layout = useLayout();
  const { connection } = useTerminal();
  return (
    <main class="workspace" data-view={layout.view.value} data-stale={!connection.isLive}>
      <ChartPanel />
      <div class="depth-column" data-shown={layout.depth.value}>
        <div class="depth-switch">
          <Choice
            name="depth"
            legend="Book or trades"
            kind="compact"
            options={[
              { value: "book", label: "Book" },
              { value: "trades", label: "Trades" },
            ]}
            value={layout.depth.value}
            choose={(shown) => {
              layout.depth.value = shown;
            }}
          />
        </div>
        <LadderPanel />
        <TradesPanel />
      </div>
      <TicketPanel />
      <LowerPanel />
    </main>
  );
}

function Dialogs(): JSX.Element | null {
  const layout = useLayout();
  switch (layout.dialog.value) {
    case "help":
      return <HelpDialog />;
    case "instruments":
      return <InstrumentDialog />;
    case undefined:
      return null;
  }
}
