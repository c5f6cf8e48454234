/** Candles and volume of the instrument, with lines where one's own orders stand. */
import { effect, useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { INTERVALS } from "../../../domain/candles.js";
import type { Candle, CandleInterval, Instrument } from "../../../domain/types.js";
import { compare, decimalsOf } from "../../../money/decimal.js";
import { fixed, percentChange } from "../../../money/format.js";
import { useApp, useTerminal } from "../../context.js";
import { Choice } from "../../parts/Choice.js";
import { Arrow } from "../../parts/icons.js";
import { Empty, Loaded } from "../../parts/Notice.js";
import { Drawing } from "./drawing.js";
import { palette } from "./options.js";

const CHOICES = (Object.keys(INTERVALS) as CandleInterval[]).map((value) => ({ value, label: value }));

export function ChartPanel(): JSX.Element {
  const { candles } = useTerminal();
  const pointed = useSignal<Candle | undefined>(undefined);
  const loading = candles.loading.value;
  const empty = loading.phase === "ready" && candles.history.value.length === 0 && candles.newest.value === undefined;
  return (
    <section class="panel chart" aria-label="Price chart">
      <header class="panel-head">
        <h2 class="unseen">Chart</h2>
        <Choice
          name="interval"
          legend="Length of a candle"
          kind="compact"
          options={CHOICES}
          value={candles.interval.value}
          choose={(interval) => {
            candles.interval.value = interval;
          }}
        />
        <Figures pointed={pointed} />
      </header>
      <div class="panel-body">
        <Canvas pointed={pointed} />
        {empty ? (
          <div class="over">
            <Empty title="No trades yet">The chart begins with the first trade.</Empty>
          </div>
        ) : null}
        {loading.phase === "ready" ? null : (
          <div class="over">
            <Loaded
              loading={loading}
              what="the chart"
              retry={() => {
                candles.retry();
              }}
            >
              {null}
            </Loaded>
          </div>
        )}
      </div>
    </section>
  );
}

/** The figures of the candle under the pointer, or of the newest. */
function Figures({ pointed }: { readonly pointed: Signal<Candle | undefined> }): JSX.Element | null {
  const { candles, instruments } = useTerminal();
  const instrument = instruments.current.value;
  const candle = pointed.value ?? candles.newest.value;
  if (instrument === undefined || candle === undefined) return null;
  const decimals = decimalsOf(instrument.tickSize);
  const up = compare(candle.close, candle.open) >= 0;
  const parts = [
    ["O", candle.open],
    ["H", candle.high],
    ["L", candle.low],
    ["C", candle.close],
  ] as const;
  return (
    <dl class="candle-figures">
      {parts.map(([name, price]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="figure">{fixed(price, decimals)}</dd>
        </div>
      ))}
      <div class={up ? "up" : "down"}>
        <dt class="unseen">Change</dt>
        <dd class="figure">
          <Arrow up={up} /> {percentChange(candle.open, candle.close)}
        </dd>
      </div>
    </dl>
  );
}

function Canvas({ pointed }: { readonly pointed: Signal<Candle | undefined> }): JSX.Element {
  const { candles, instruments, orders } = useTerminal();
  const { preferences } = useApp();
  const container = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (container.current === null) return undefined;
    const drawing = new Drawing(container.current, palette(preferences.isDark));
    drawing.onPointer((candle) => {
      pointed.value = candle;
    });
    const stops = [
      effect(() => {
        const dark = preferences.isDark;
        drawing.paint(palette(dark));
        drawing.setOrders(ordersOf(orders.open.peek(), instruments.current.peek()));
      }),
      effect(() => {
        const instrument = instruments.current.value;
        if (instrument !== undefined) drawing.setInstrument(instrument);
      }),
      effect(() => {
        drawing.setHistory(candles.history.value);
      }),
      effect(() => {
        const newest = candles.newest.value;
        if (newest !== undefined) drawing.setNewest(newest);
      }),
      effect(() => {
        drawing.setOrders(ordersOf(orders.open.value, instruments.current.value));
      }),
    ];
    return () => {
      for (const stop of stops) stop();
      drawing.remove();
    };
  }, []);
  const symbol = instruments.current.value?.symbol ?? "";
  return <div class="canvas" ref={container} role="img" aria-label={`Candles of ${symbol}; the figures of the newest stand above`} />;
}

const ordersOf = <Item extends { readonly symbol: string }>(
  orders: readonly Item[],
  instrument: Instrument | undefined,
): readonly Item[] => orders.filter(({ symbol }) => symbol === instrument?.symbol);
