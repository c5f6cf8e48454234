/** From a book to the rows of a ladder: levels grouped by a step, cumulative quantities, own orders. */
import { add, big, compare, roundDown, roundUp, share, subtract, ZERO, type Decimal } from "../money/decimal.js";
import type { Book, Level, Order, Side } from "./types.js";
import { WORKING } from "./types.js";

export interface LadderRow {
  readonly price: Decimal;
  readonly quantity: Decimal;
  /** Quantity from the best price to here. */
  readonly cumulative: Decimal;
  /** Cumulative quantity as a share of the deeper side's, 0 to 1. */
  readonly depth: number;
  /** What works here of the caller's own orders. */
  readonly own: Decimal;
}

export interface Ladder {
  /** Best first, as many as asked for or fewer. */
  readonly bids: readonly LadderRow[];
  readonly asks: readonly LadderRow[];
  /** How many rows the side with more of them would have, however many were asked for. */
  readonly levels: number;
  readonly spread: Decimal | undefined;
  /** Of the spread in basis points of the middle, one decimal; undefined without both sides. */
  readonly spreadBasisPoints: string | undefined;
}

/** Groups levels by a step: bids down, asks up, so that a group never shows a better price than there is. */
export function groupLevels(levels: readonly Level[], side: Side, step: Decimal): Level[] {
  const grouped: { price: Decimal; quantity: Decimal }[] = [];
  for (const { price, quantity } of levels) {
    const at = side === "buy" ? roundDown(price, step) : roundUp(price, step);
    const last = grouped.at(-1);
    if (last?.price === at) last.quantity = add(last.quantity, quantity);
    else grouped.push({ price: at, quantity });
  }
  return grouped;
}

/** Sums what works of one's own orders at each price of a ladder. */
export function ownQuantities(
  orders: Iterable<Order>,
  symbol: string,
  side: Side,
  step: Decimal,
): ReadonlyMap<Decimal, Decimal> {
  const own = new Map<Decimal, Decimal>();
  for (const order of orders) {
    if (order.symbol !== symbol || order.side !== side || order.price === undefined) continue;
    if (!WORKING.has(order.status)) continue;
    const at = side === "buy" ? roundDown(order.price, step) : roundUp(order.price, step);
    own.set(at, add(own.get(at) ?? ZERO, order.leavesQuantity));
  }
  return own;
}

function rowsOf(levels: readonly Level[], own: ReadonlyMap<Decimal, Decimal>): Omit<LadderRow, "depth">[] {
  let cumulative = ZERO;
  return levels.map(({ price, quantity }) => {
    cumulative = add(cumulative, quantity);
    return { price, quantity, cumulative, own: own.get(price) ?? ZERO };
  });
}

function spreadOf(book: Book): Pick<Ladder, "spread" | "spreadBasisPoints"> {
  const bid = book.bids[0]?.price;
  const ask = book.asks[0]?.price;
  if (bid === undefined || ask === undefined) return { spread: undefined, spreadBasisPoints: undefined };
  const spread = subtract(ask, bid);
  const middle = big(bid).plus(big(ask)).div(big("2"));
  return { spread, spreadBasisPoints: big(spread).times(big("10000")).div(middle).toFixed(1) };
}

/** Makes a ladder of at most `depth` rows for each side. */
export function ladderOf(book: Book, orders: readonly Order[], step: Decimal, depth: number): Ladder {
  let most = 0;
  const sides = (["buy", "sell"] as const).map((side) => {
    const levels = groupLevels(side === "buy" ? book.bids : book.asks, side, step);
    most = Math.max(most, levels.length);
    return rowsOf(levels.slice(0, depth), ownQuantities(orders, book.symbol, side, step));
  });
  const [bids = [], asks = []] = sides;
  const deepest = [bids.at(-1)?.cumulative ?? ZERO, asks.at(-1)?.cumulative ?? ZERO].reduce((left, right) =>
    compare(left, right) < 0 ? right : left,
  );
  const withDepth = (row: Omit<LadderRow, "depth">): LadderRow => ({ ...row, depth: share(row.cumulative, deepest) });
  return { bids: bids.map(withDepth), asks: asks.map(withDepth), levels: most, ...spreadOf(book) };
}

/** Returns the steps by which a ladder can be grouped: the tick and its multiples. */
export function groupingSteps(tickSize: Decimal): Decimal[] {
  return ["1", "10", "100", "1000", "10000"].map((factor) => big(tickSize).times(big(factor)).toFixed());
}
