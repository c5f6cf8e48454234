/** Checks what an order is to become, and says what of it is new. */
import { compare, isDecimal, multiply } from "../money/decimal.js";
import { exact } from "../money/format.js";
import type { FieldErrors } from "./refusal.js";
import type { Amendment, Instrument, Order } from "./types.js";
import { notionalProblem, priceProblem, quantityProblem, type ContractRules } from "./validation.js";

export interface AmendDraft {
  readonly price: string;
  readonly quantity: string;
}

export function amendProblems(draft: AmendDraft, order: Order, instrument: Instrument, rules: ContractRules): FieldErrors {
  const errors: FieldErrors = {};
  const price = priceProblem(draft.price, instrument, rules.price);
  if (price !== undefined) errors.price = price;
  let quantity = quantityProblem(draft.quantity, instrument, rules.quantity);
  if (quantity === undefined && compare(draft.quantity, order.filledQuantity) <= 0) {
    quantity = `${exact(order.filledQuantity)} is filled already: use more than that, or cancel the order.`;
  }
  if (quantity === undefined && price === undefined) {
    quantity = notionalProblem(multiply(draft.price, draft.quantity), instrument);
  }
  if (quantity !== undefined) errors.quantity = quantity;
  return errors;
}

/** Returns what differs from the order; undefined when nothing does. */
export function changesOf(draft: AmendDraft, order: Order): Omit<Amendment, "orderId"> | undefined {
  const price = differs(draft.price, order.price) ? { price: draft.price } : {};
  const quantity = differs(draft.quantity, order.quantity) ? { quantity: draft.quantity } : {};
  const changes = { ...price, ...quantity };
  return Object.keys(changes).length === 0 ? undefined : changes;
}

const differs = (text: string, known: string | undefined): boolean =>
  isDecimal(text) && (known === undefined || compare(text, known) !== 0);
