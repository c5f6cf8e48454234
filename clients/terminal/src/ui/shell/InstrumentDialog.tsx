/** Chooses an instrument: type to narrow the list, arrows and Enter to choose. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Instrument } from "../../domain/types.js";
import { compare, decimalsOf } from "../../money/decimal.js";
import { fixed, percentChange } from "../../money/format.js";
import { useLayout, useTerminal } from "../context.js";
import { Dialog } from "../parts/Dialog.js";
import { Arrow } from "../parts/icons.js";
import { Empty } from "../parts/Notice.js";

export function InstrumentDialog(): JSX.Element {
  const { instruments } = useTerminal();
  const layout = useLayout();
  const text = useSignal("");
  const active = useSignal(0);
  const input = useRef<HTMLInputElement>(null);
  const found = instruments.all.value.filter(({ symbol }) => symbol.includes(text.value.trim().toUpperCase()));
  const chosen = found[Math.min(active.value, found.length - 1)];
  useEffect(() => {
    input.current?.focus();
    void instruments.refresh();
    active.value = Math.max(
      0,
      found.findIndex(({ symbol }) => symbol === instruments.symbol.peek()),
    );
  }, []);

  const close = (): void => {
    layout.dialog.value = undefined;
  };
  const choose = (symbol: string): void => {
    instruments.symbol.value = symbol;
    close();
  };
  const press = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && found.length > 0) {
      event.preventDefault();
      active.value = (active.value + step + found.length) % found.length;
    } else if (event.key === "Enter" && chosen !== undefined) {
      event.preventDefault();
      choose(chosen.symbol);
    }
  };
  return (
    <Dialog label="Choose an instrument" kind="instruments" close={close}>
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label="Find an instrument"
        aria-expanded="true"
        aria-controls="instrument-list"
        aria-activedescendant={chosen === undefined ? undefined : `instrument-${chosen.symbol}`}
        placeholder="Find an instrument"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          active.value = 0;
        }}
        onKeyDown={press}
      />
      <div class="instrument-list" id="instrument-list" role="listbox" aria-label="Instruments">
        {found.map((instrument) => (
          <Option key={instrument.symbol} instrument={instrument} selected={instrument === chosen} choose={choose} />
        ))}
      </div>
      {found.length === 0 ? <Empty title="No such instrument">Clear the text to see them all.</Empty> : null}
    </Dialog>
  );
}

const STATUS_WORDS = { trading: "", halted: "Halted", cancel_only: "Cancel only", post_only: "Post-only" } as const;

function Option({ instrument, selected, choose }: { readonly instrument: Instrument; readonly selected: boolean; readonly choose: (symbol: string) => void }): JSX.Element {
  const { instruments } = useTerminal();
  const { symbol, tickSize, status } = instrument;
  const { lastPrice, openPrice } = instruments.ticker(symbol).value;
  const known = lastPrice !== undefined && openPrice !== undefined;
  const up = known && compare(lastPrice, openPrice) >= 0;
  return (
    // The combobox has the keys; a pointer may choose here.
    <div
      id={`instrument-${symbol}`}
      class="instrument-option"
      role="option"
      aria-selected={selected}
      onClick={() => {
        choose(symbol);
      }}
    >
      <span>
        <strong>{symbol}</strong> <span class="muted">{STATUS_WORDS[status]}</span>
      </span>
      <span class="figure">{lastPrice === undefined ? "\u2013" : fixed(lastPrice, decimalsOf(tickSize))}</span>
      <span class={`figure change ${known ? (up ? "up" : "down") : ""}`}>
        {known ? (
          <>
            <Arrow up={up} /> {percentChange(openPrice, lastPrice)}
          </>
        ) : null}
      </span>
    </div>
  );
}
