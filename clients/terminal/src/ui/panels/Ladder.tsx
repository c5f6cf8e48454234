/**
 * The order book as a ladder: asks above, bids below, the spread between them.
 *
 * A fixed number of rows stands; an update changes only the texts that changed, at most once per frame.
 */
import { batch, effect, signal, useSignal, useSignalEffect, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { groupingSteps, ladderOf, type Ladder, type LadderRow } from "../../domain/book.js";
import type { Side } from "../../domain/types.js";
import { decimalsOf, isZero, type Decimal } from "../../money/decimal.js";
import { exact, fixed } from "../../money/format.js";
import { useLayout, useTerminal } from "../context.js";
import { Empty, Loaded } from "../parts/Notice.js";

/** Rows are as high as the room allows between these, pixels: a short book fills its panel, a deep one is dense. */
const ROW_HEIGHTS = { desk: [20, 26], phone: [26, 34] } as const;
const PHONE = "(max-width: 759px)";
const SPREAD_HEIGHT = 30;
const ROWS_MIN = 5;
const ROWS_MAX = 40;

let slotCount = 0;

/** The texts of one row. */
class Slot {
  readonly id = ++slotCount;
  /** Exact price, empty while the row is empty. */
  price: Decimal = "";
  readonly priceText = signal("");
  readonly quantity = signal("");
  readonly cumulative = signal("");
  readonly depth = signal(0);
  readonly own = signal("");

  show(row: LadderRow | undefined, priceDecimals: number, quantityDecimals: number): void {
    this.price = row?.price ?? "";
    this.priceText.value = row === undefined ? "" : fixed(row.price, priceDecimals);
    this.quantity.value = row === undefined ? "" : fixed(row.quantity, quantityDecimals);
    this.cumulative.value = row === undefined ? "" : fixed(row.cumulative, quantityDecimals);
    this.depth.value = row?.depth ?? 0;
    this.own.value = row === undefined || isZero(row.own) ? "" : exact(row.own);
  }
}

const slots = (count: number): Slot[] => Array.from({ length: count }, () => new Slot());

export function LadderPanel(): JSX.Element {
  const { market, instruments } = useTerminal();
  const instrument = instruments.current.value;
  return (
    <section class="panel ladder" aria-label="Order book">
      <header class="panel-head">
        <h2>Order book</h2>
        {instrument === undefined ? null : (
          <label class="inline-field">
            <span class="unseen">Group prices by</span>
            <select
              class="quiet-select"
              value={market.step.value}
              onChange={(event) => {
                market.step.value = event.currentTarget.value;
              }}
            >
              {groupingSteps(instrument.tickSize).map((step) => (
                <option key={step} value={step}>
                  {exact(step)}
                </option>
              ))}
            </select>
          </label>
        )}
      </header>
      <div class="ladder-columns columns-head" aria-hidden="true">
        <span>
          Price <span class="head-unit">{instrument?.quoteAsset}</span>
        </span>
        <span>
          Quantity <span class="head-unit">{instrument?.baseAsset}</span>
        </span>
        <span>Total</span>
      </div>
      <div class="panel-body">
        <Loaded
          loading={market.loading.value}
          what="the order book"
          retry={() => {
            market.retry();
          }}
        >
          <Rows />
        </Loaded>
      </div>
    </section>
  );
}

/** The pixels that each side has in an element, and the heights that its rows may have. */
interface Room {
  readonly side: number;
  readonly heights: readonly [number, number];
}

function useRoom(element: { readonly current: HTMLElement | null }): Signal<Room> {
  const room = useSignal<Room>({ side: 240, heights: ROW_HEIGHTS.desk });
  useEffect(() => {
    const observed = element.current;
    if (observed === null) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      const height = entry?.contentRect.height ?? 0;
      if (height <= 0) return;
      const heights = matchMedia(PHONE).matches ? ROW_HEIGHTS.phone : ROW_HEIGHTS.desk;
      room.value = { side: Math.floor((height - SPREAD_HEIGHT) / 2), heights };
    });
    observer.observe(observed);
    return () => {
      observer.disconnect();
    };
  }, []);
  return room;
}

/** Returns the height of rows for so many levels, and how many of them have room. */
function fitRows({ side, heights: [least, most] }: Room, levels: number): { readonly height: number; readonly rows: number } {
  const height = Math.max(least, Math.min(most, Math.floor(side / Math.max(levels, 1))));
  return { height, rows: Math.max(ROWS_MIN, Math.min(ROWS_MAX, Math.floor(side / height))) };
}

function Rows(): JSX.Element {
  const { market, instruments, orders, ticket } = useTerminal();
  const layout = useLayout();
  const body = useRef<HTMLDivElement>(null);
  const room = useRoom(body);
  // The most levels since the book is shown in this way: rows get lower as it fills, and do not jump back and forth.
  const levels = useSignal(0);
  const shownAs = useRef("");
  const { height, rows } = fitRows(room.value, levels.value);
  const sides = useMemo(() => ({ asks: slots(rows), bids: slots(rows) }), [rows]);
  const spread = useSignal("");
  const empty = useSignal(false);

  useEffect(() => {
    let frame = 0;
    const stop = effect(() => {
      const book = market.book.value;
      const step = market.step.value;
      const open = orders.open.value;
      const instrument = instruments.current.value;
      if (instrument === undefined || book?.symbol !== instrument.symbol) return;
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => {
        const ladder = ladderOf(book, open, step, rows);
        const quantityDecimals = Math.min(decimalsOf(instrument.lotSize), 6);
        batch(() => {
          fill(sides.asks, ladder.asks, decimalsOf(step), quantityDecimals);
          fill(sides.bids, ladder.bids, decimalsOf(step), quantityDecimals);
          spread.value = spreadText(ladder, decimalsOf(instrument.tickSize));
          const way = `${book.symbol} ${step}`;
          levels.value = shownAs.current === way ? Math.max(levels.peek(), ladder.levels) : ladder.levels;
          shownAs.current = way;
          empty.value = ladder.asks.length === 0 && ladder.bids.length === 0;
        });
      });
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [sides]);

  const move = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    const all = [...(body.current?.querySelectorAll<HTMLButtonElement>("button") ?? [])];
    const here = all.indexOf(document.activeElement as HTMLButtonElement);
    event.preventDefault();
    all[here + step]?.focus();
  };

  const take = (slot: Slot): void => {
    if (slot.price === "") return;
    ticket.takePrice(slot.price);
    // On a phone the ticket is another view; at a desk the quantity is what is typed next.
    document.getElementById("quantity")?.focus();
    layout.view.value = "trade";
  };
  return (
    <div class="ladder-rows" ref={body} style={{ "--row": `${height}px` }} onKeyDown={move}>
      {empty.value ? <Empty title="No orders in the book">The first limit order will stand here.</Empty> : null}
      <div class="ladder-side asks" role="group" aria-label="Asks, best last" hidden={empty.value}>
        {sides.asks.toReversed().map((slot) => (
          <Row key={slot.id} slot={slot} side="sell" focusable={slot === sides.asks[0]} take={take} />
        ))}
      </div>
      <p class="spread" hidden={empty.value}>
        <span class="spread-label">Spread</span> <span class="figure">{spread}</span>
      </p>
      <div class="ladder-side bids" role="group" aria-label="Bids, best first" hidden={empty.value}>
        {sides.bids.map((slot, index) => (
          <Row key={slot.id} slot={slot} side="buy" focusable={index === 0} take={take} />
        ))}
      </div>
    </div>
  );
}

function fill(into: readonly Slot[], rows: readonly LadderRow[], priceDecimals: number, quantityDecimals: number): void {
  into.forEach((slot, index) => {
    slot.show(rows[index], priceDecimals, quantityDecimals);
  });
}

function spreadText({ spread, spreadBasisPoints }: Ladder, decimals: number): string {
  return spread === undefined ? "\u2013" : `${fixed(spread, decimals)}  (${spreadBasisPoints ?? ""} bp)`;
}

function Row({ slot, side, focusable, take }: { readonly slot: Slot; readonly side: Side; readonly focusable: boolean; readonly take: (slot: Slot) => void }): JSX.Element {
  const bar = useRef<HTMLSpanElement>(null);
  useSignalEffect(() => {
    const depth = slot.depth.value;
    if (bar.current !== null) bar.current.style.transform = `scaleX(${depth})`;
  });
  return (
    <button
      type="button"
      class={`ladder-row ladder-columns ${side}`}
      tabIndex={focusable ? 0 : -1}
      title="Take this price"
      onClick={() => {
        take(slot);
      }}
    >
      <span class="depth-bar" ref={bar} />
      <span class="figure price">{slot.priceText}</span>
      <span class="figure">{slot.quantity}</span>
      <span class="figure total">{slot.cumulative}</span>
      <Own slot={slot} />
    </button>
  );
}

/** Marks a price at which own orders work. */
function Own({ slot }: { readonly slot: Slot }): JSX.Element | null {
  const own = slot.own.value;
  if (own === "") return null;
  return (
    <span class="own-mark" title={`Yours: ${own}`}>
      <span class="unseen">, yours: {own}</span>
    </span>
  );
}
