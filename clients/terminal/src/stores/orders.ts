/** The account's orders: those that work, and those that ended within the executions that are known. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { WORKING, type Execution, type Order } from "../domain/types.js";

const CLOSED_MAX = 500;

export class OrderStore {
  readonly #open = signal<ReadonlyMap<string, Order>>(new Map());
  readonly #closed = signal<ReadonlyMap<string, Order>>(new Map());
  /** Newest first. */
  readonly open: ReadonlySignal<readonly Order[]>;
  /** Newest first. */
  readonly closed: ReadonlySignal<readonly Order[]>;

  constructor() {
    this.open = computed(() => newestFirst(this.#open.value));
    this.closed = computed(() => newestFirst(this.#closed.value));
  }

  /** Begins anew with what works now. */
  begin(orders: readonly Order[]): void {
    this.#open.value = new Map(orders.map((order) => [order.orderId, order]));
  }

  /** Takes executions in their order, live ones. */
  apply(executions: readonly Execution[]): void {
    const open = new Map(this.#open.peek());
    for (const { order } of executions) {
      if (WORKING.has(order.status)) open.set(order.orderId, order);
      else open.delete(order.orderId);
    }
    this.#open.value = open;
    this.remember(executions);
  }

  /** Takes executions of any age for the history. */
  remember(executions: readonly Execution[]): void {
    const ended = executions.map(({ order }) => order).filter(({ status }) => !WORKING.has(status));
    if (ended.length === 0) return;
    const closed = new Map(this.#closed.peek());
    for (const order of ended) closed.set(order.orderId, order);
    if (closed.size > CLOSED_MAX) {
      for (const order of newestFirst(closed).slice(CLOSED_MAX)) closed.delete(order.orderId);
    }
    this.#closed.value = closed;
  }

  find(orderId: string): Order | undefined {
    return this.#open.value.get(orderId);
  }
}

function newestFirst(orders: ReadonlyMap<string, Order>): Order[] {
  // Ids are decimal numbers that ascend; longer ones are greater.
  return [...orders.values()].sort(
    ({ orderId: left }, { orderId: right }) =>
      right.length - left.length || (left < right ? 1 : left > right ? -1 : 0),
  );
}
