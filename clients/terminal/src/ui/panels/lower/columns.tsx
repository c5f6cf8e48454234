/** What the tables of orders and executions show alike. */
import type { JSX } from "preact";
import type { Instrument, Order, OrderStatus } from "../../../domain/types.js";
import { decimalsOf, share, type Decimal } from "../../../money/decimal.js";
import { dateAndTime, exact, fixed, timeOfDay } from "../../../money/format.js";
import { SideLabel } from "../../parts/SideLabel.js";
import { Cell, type Column } from "../../parts/Table.js";

const STATUS_WORDS: Readonly<Record<OrderStatus, string>> = {
  new: "Working",
  partially_filled: "Partly filled",
  filled: "Filled",
  canceled: "Canceled",
  expired: "Expired",
  rejected: "Rejected",
};

export function Status({ status }: { readonly status: OrderStatus }): JSX.Element {
  return <span class={`status ${status}`}>{STATUS_WORDS[status]}</span>;
}

/** Shows a price with the places of its instrument. */
export function priceText(price: Decimal | undefined, instrument: Instrument | undefined): string {
  if (price === undefined) return "Market";
  return instrument === undefined ? exact(price) : fixed(price, decimalsOf(instrument.tickSize));
}

/** Shows what an order is for: a quantity of base, or an amount of quote. */
export function quantityText(order: Order, instrument: Instrument | undefined): string {
  if (order.quantity !== undefined) return exact(order.quantity);
  return order.quoteQuantity === undefined ? "\u2013" : `${exact(order.quoteQuantity)} ${instrument?.quoteAsset ?? ""}`;
}

const POST_ONLY_WORDS = { off: "", reject: " · post-only", reprice: " · post-only, reprice" } as const;

function termsText(order: Order): string {
  const type = order.type === "limit" ? "Limit" : "Market";
  return `${type} · ${order.timeInForce.toUpperCase()}${POST_ONLY_WORDS[order.postOnly]}`;
}

interface OrderHeadProps {
  readonly order: Order;
  readonly columns: Readonly<Record<"time" | "symbol" | "side" | "terms", Column>>;
}

/** The cells with which every row of an order begins, whatever state it is in. */
export function OrderHead({ order, columns }: OrderHeadProps): JSX.Element {
  return (
    <>
      <Cell column={columns.time} title={dateAndTime(order.createTime)}>
        <span class="figure">{timeOfDay(order.createTime)}</span>
      </Cell>
      <Cell column={columns.symbol} kind="lead">
        {order.symbol}
      </Cell>
      <Cell column={columns.side}>
        <SideLabel side={order.side} />
      </Cell>
      <Cell column={columns.terms}>{termsText(order)}</Cell>
    </>
  );
}

/** How much of an order is filled, as a number from 0 to 100. */
export function filledPercent(order: Order): number {
  if (order.quantity === undefined) return order.status === "filled" ? 100 : 0;
  return Math.floor(share(order.filledQuantity, order.quantity) * 100);
}
