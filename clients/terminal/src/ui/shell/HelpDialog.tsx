/** Explains the keys, and says whose work the chart is. */
import type { JSX } from "preact";
import { useApp, useLayout, useTerminal } from "../context.js";
import { Dialog } from "../parts/Dialog.js";
import { Close } from "../parts/icons.js";
import { shortcutsOf, type Shortcut } from "./shortcuts.js";

const IN_FIELDS = [
  ["Enter", "Send the order"],
  ["Ctrl Enter", "Send the order from anywhere"],
  ["↑ ↓", "A step up or down, with Shift ten; in the book, a row"],
  ["Esc", "Leave the field or the dialog"],
] as const;

export function HelpDialog(): JSX.Element {
  const { preferences } = useApp();
  const terminal = useTerminal();
  const layout = useLayout();
  const shortcuts = shortcutsOf(terminal, layout, preferences);
  const groups = [...new Set(shortcuts.map(({ group }) => group))];
  const close = (): void => {
    layout.dialog.value = undefined;
  };
  return (
    <Dialog label="Keyboard shortcuts" kind="help" close={close}>
      <header class="dialog-head">
        <h2>Keyboard shortcuts</h2>
        <button type="button" class="icon-button" aria-label="Close" onClick={close}>
          <Close />
        </button>
      </header>
      <div class="key-groups">
        {groups.map((group) => (
          <Group key={group} title={group} shortcuts={shortcuts.filter((one) => one.group === group)} />
        ))}
        <section>
          <h3>In the fields</h3>
          <dl class="keys">
            {IN_FIELDS.map(([key, meaning]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={preferences.singleKeys.value}
          onChange={(event) => {
            preferences.singleKeys.value = event.currentTarget.checked;
          }}
        />
        Single keys do something. Turn them off if you dictate, or type here by mistake.
      </label>
      <p class="fine">
        Charts by <a href="https://www.tradingview.com/">TradingView</a> Lightweight Charts™, © TradingView, Inc., Apache
        License 2.0. Typeface Inter, SIL Open Font License 1.1.
      </p>
    </Dialog>
  );
}

function Group({ title, shortcuts }: { readonly title: string; readonly shortcuts: readonly Shortcut[] }): JSX.Element {
  return (
    <section>
      <h3>{title}</h3>
      <dl class="keys">
        {shortcuts.map(({ key, shown, meaning }) => (
          <div key={key}>
            <dt>
              <kbd>{shown}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
