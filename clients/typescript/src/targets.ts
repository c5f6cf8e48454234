/**
 * Which order is meant.
 */

import { checkFields, type FieldsOf, shown } from "./fields.js";
import { OrderSchema } from "./gen/tradewire/v1/order_pb.js";

/**
 * Names an order: by the venue's id, as text or `{ orderId }` (so an order itself will do), or by any
 * client order id of its chain. The contract's name of the latter in amends and cancels, which have
 * a client order id of their own as well, is `originalClientOrderId`; both names do everywhere.
 */
export type OrderTarget =
  | string
  | { readonly orderId: string }
  | { readonly clientOrderId: string }
  | { readonly originalClientOrderId: string };

/** The target as a read names it. */
export type NamedTarget =
  | { readonly case: "orderId"; readonly value: string }
  | { readonly case: "clientOrderId"; readonly value: string };

type Fields = FieldsOf<{ orderId: string; clientOrderId: string; originalClientOrderId: string }>;

const TARGET: Fields = { orderId: true, clientOrderId: true, originalClientOrderId: true };
const FORMS =
  'an order id, { orderId }, { clientOrderId } or { originalClientOrderId }, each a text: "7"';

/** @throws TypeError if nothing is named by it, or two things. */
export function targetOf(target: OrderTarget): NamedTarget {
  if (typeof target === "string") {
    return { case: "orderId", value: target };
  }
  if (typeof target !== "object" || (target as unknown) === null) {
    throw new TypeError(`target: ${shown(target)} names no order; what does is ${FORMS}`);
  }
  const { $typeName, ...named } = target as Readonly<Record<string, unknown>>;
  if ($typeName === OrderSchema.typeName && typeof named["orderId"] === "string") {
    return { case: "orderId", value: named["orderId"] };
  }
  checkFields(target, TARGET, "target");
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  const [first] = given;
  if (first === undefined || given.length > 1 || typeof first[1] !== "string") {
    const what = given.map(([name, value]) => `${name}: ${shown(value)}`).join(", ");
    throw new TypeError(`target: { ${what} } names no one order; what does is ${FORMS}`);
  }
  return { case: first[0] === "orderId" ? "orderId" : "clientOrderId", value: first[1] };
}

/** The target as an amend or a cancel names it. */
export function targetToChange(
  target: OrderTarget,
):
  | { readonly case: "orderId"; readonly value: string }
  | { readonly case: "originalClientOrderId"; readonly value: string } {
  const { case: which, value } = targetOf(target);
  return { case: which === "orderId" ? which : "originalClientOrderId", value };
}
