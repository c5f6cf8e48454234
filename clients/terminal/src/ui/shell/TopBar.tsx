/** The bar: instrument and its figures, account, colours, keys, the way out. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Instrument } from "../../domain/types.js";
import { compare, decimalsOf } from "../../money/decimal.js";
import { exact, fixed, percentChange } from "../../money/format.js";
import { useApp, useLayout, useTerminal } from "../context.js";
import { Arrow, Chevron, Help, Leave, Mark, Moon, Sun } from "../parts/icons.js";

export function TopBar(): JSX.Element {
  const { instruments } = useTerminal();
  const layout = useLayout();
  const instrument = instruments.current.value;
  return (
    <header class="top-bar">
      <span class="brand">
        <Mark />
      </span>
      <h1 class="unseen">Tradewire Terminal</h1>
      <button
        type="button"
        class="switcher"
        aria-haspopup="dialog"
        aria-label={`Instrument ${instrument?.symbol ?? ""}, change`}
        onClick={() => {
          layout.dialog.value = "instruments";
        }}
      >
        <strong>{instrument?.symbol ?? "…"}</strong>
        <Chevron />
      </button>
      {instrument === undefined ? null : (
        <>
          <LastPrice instrument={instrument} />
          <DayFigures instrument={instrument} />
        </>
      )}
      <Tools />
    </header>
  );
}

function LastPrice({ instrument }: { readonly instrument: Instrument }): JSX.Element {
  const { instruments } = useTerminal();
  const price = instruments.ticker(instrument.symbol).value.lastPrice;
  const before = useRef<string | undefined>(undefined);
  const up = useSignal<boolean | undefined>(undefined);
  useEffect(() => {
    if (before.current !== undefined && price !== undefined && price !== before.current) {
      up.value = compare(price, before.current) > 0;
    }
    before.current = price;
  }, [price]);
  useEffect(() => {
    before.current = undefined;
    up.value = undefined;
  }, [instrument.symbol]);
  const text = price === undefined ? "\u2013" : fixed(price, decimalsOf(instrument.tickSize));
  useEffect(() => {
    document.title = price === undefined ? "Tradewire Terminal" : `${text} ${instrument.symbol} · Tradewire`;
  }, [text]);
  const direction = up.value === undefined ? "" : up.value ? "up" : "down";
  return (
    <p class={`last-price figure ${direction}`}>
      <span class="unseen">Last price </span>
      {up.value === undefined ? null : <Arrow up={up.value} />}
      {text}
    </p>
  );
}

function DayFigures({ instrument }: { readonly instrument: Instrument }): JSX.Element {
  const { instruments } = useTerminal();
  const { lastPrice, openPrice, highPrice, lowPrice, volume } = instruments.ticker(instrument.symbol).value;
  const decimals = decimalsOf(instrument.tickSize);
  const priced = (price: string | undefined): string => (price === undefined ? "\u2013" : fixed(price, decimals));
  const known = lastPrice !== undefined && openPrice !== undefined;
  const up = known && compare(lastPrice, openPrice) >= 0;
  return (
    <dl class="day-figures">
      <div class={known ? (up ? "up" : "down") : ""}>
        <dt>24h change</dt>
        <dd class="figure">{known ? percentChange(openPrice, lastPrice) : "\u2013"}</dd>
      </div>
      <div>
        <dt>24h high</dt>
        <dd class="figure">{priced(highPrice)}</dd>
      </div>
      <div>
        <dt>24h low</dt>
        <dd class="figure">{priced(lowPrice)}</dd>
      </div>
      <div>
        <dt>24h volume</dt>
        <dd class="figure">
          {volume.includes(".") ? fixed(volume, 2) : exact(volume)} {instrument.baseAsset}
        </dd>
      </div>
    </dl>
  );
}

function Tools(): JSX.Element {
  const app = useApp();
  const layout = useLayout();
  const { session } = useTerminal();
  const dark = app.preferences.isDark;
  return (
    <div class="tools">
      <p class="whose">
        <span class="environment">{session.environment}</span>
        <span class="account-name" title="Account">
          {session.account}
        </span>
      </p>
      <button
        type="button"
        class="icon-button keys-button"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        onClick={() => {
          layout.dialog.value = "help";
        }}
      >
        <Help />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label={dark ? "Use light colours" : "Use dark colours"}
        title={dark ? "Light colours (T)" : "Dark colours (T)"}
        onClick={() => {
          app.preferences.toggleTheme();
        }}
      >
        {dark ? <Sun /> : <Moon />}
      </button>
      <button type="button" class="icon-button" aria-label="Sign out" title="Sign out" onClick={() => void app.signOut()}>
        <Leave />
      </button>
    </div>
  );
}
