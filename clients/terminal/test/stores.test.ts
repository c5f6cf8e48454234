import { describe, expect, it, vi } from "vitest";
import type { Execution, ExecutionType, OrderStatus } from "../src/domain/types.js";
import { ExecutionStore, type ExecutionReader } from "../src/stores/executions.js";
import { OrderStore } from "../src/stores/orders.js";
import { ToastStore } from "../src/stores/toasts.js";
import type { ExecutionListener, Venue } from "../src/venue/venue.js";
import { order } from "./samples.js";

function execution(sequence: number, orderId: string, type: ExecutionType, status: OrderStatus): Execution {
  return {
    sequence: BigInt(sequence),
    executionId: String(sequence),
    type,
    order: order({ orderId, status }),
    time: sequence,
    reason: "",
  };
}

const sequences = (list: readonly Execution[]): number[] => list.map(({ sequence }) => Number(sequence));

/** A venue that has so many executions, and whose stream is in the test's hands. */
function venueWith(count: number) {
  const all = Array.from({ length: count }, (_, index) => execution(index + 1, String(index + 1), "new", "canceled"));
  const asked: [bigint, number][] = [];
  const opened: ExecutionListener[] = [];
  const venue = {
    followExecutions: (given: ExecutionListener) => {
      opened.push(given);
      return () => undefined;
    },
    executions: (after: bigint, size: number) => {
      asked.push([after, size]);
      return Promise.resolve(all.filter(({ sequence }) => sequence > after).slice(0, size));
    },
  } as unknown as Venue;
  const stream = (): ExecutionListener => {
    const listener = opened.at(-1);
    if (listener === undefined) throw new Error("nobody follows");
    return listener;
  };
  return { venue, asked, stream };
}

const READER: ExecutionReader = { begin: () => undefined, happened: () => undefined, past: () => undefined };
const snapshot = (asOf: number) => ({ orders: [], balances: [], positions: [], asOfSequence: BigInt(asOf) });

describe("ExecutionStore", () => {
  it("shows the newest page behind the snapshot, then older ones, down to the first", async () => {
    const { venue, asked, stream } = venueWith(450);
    const store = new ExecutionStore(venue, READER);
    store.open();
    stream().snapshot(snapshot(450));
    await vi.waitFor(() => {
      expect(store.list.value).toHaveLength(200);
    });
    expect([store.oldest.value, store.list.value[0]?.sequence]).toEqual([251n, 450n]);
    await store.older();
    await store.older();
    await store.older();
    expect(sequences(store.list.value)).toEqual(Array.from({ length: 450 }, (_, index) => 450 - index));
    expect(asked).toEqual([
      [250n, 200],
      [50n, 200],
      [0n, 50],
    ]);
  });

  it("goes on behind the snapshot and counts what is missing", () => {
    const { venue, stream } = venueWith(0);
    const store = new ExecutionStore(venue, READER);
    store.open();
    stream().snapshot(snapshot(7));
    stream().executions([execution(8, "1", "new", "new"), execution(9, "1", "trade", "filled")]);
    expect(store.sequence.value).toEqual({ last: 9n, missing: 0n, repeated: 0 });
    stream().executions([execution(12, "2", "new", "new")]);
    expect(store.sequence.value).toEqual({ last: 12n, missing: 2n, repeated: 0 });
    expect(sequences(store.list.value).slice(0, 3)).toEqual([12, 9, 8]);
  });

  it("holds a bounded number, and can fetch again what it dropped", () => {
    const { venue, stream } = venueWith(0);
    const store = new ExecutionStore(venue, READER);
    store.open();
    stream().snapshot(snapshot(0));
    stream().executions(Array.from({ length: 2_500 }, (_, index) => execution(index + 1, "1", "new", "new")));
    expect(store.list.value).toHaveLength(2_000);
    expect(store.oldest.value).toBe(501n);
  });
});

describe("OrderStore", () => {
  it("follows orders from working to ended", () => {
    const orders = new OrderStore();
    orders.begin([order({ orderId: "9" })]);
    orders.apply([execution(1, "10", "new", "new"), execution(2, "9", "trade", "partially_filled")]);
    expect(orders.open.value.map(({ orderId, status }) => [orderId, status])).toEqual([
      ["10", "new"],
      ["9", "partially_filled"],
    ]);
    orders.apply([execution(3, "9", "trade", "filled"), execution(4, "11", "rejected", "rejected")]);
    expect(orders.open.value.map(({ orderId }) => orderId)).toEqual(["10"]);
    expect(orders.closed.value.map(({ orderId }) => orderId)).toEqual(["11", "9"]);
  });

  it("learns of ended orders from the past without making old ones work again", () => {
    const orders = new OrderStore();
    orders.begin([]);
    orders.remember([execution(1, "1", "new", "new"), execution(2, "1", "canceled", "canceled")]);
    expect(orders.open.value).toEqual([]);
    expect(orders.closed.value.map(({ orderId }) => orderId)).toEqual(["1"]);
  });

  it("holds a bounded history", () => {
    const orders = new OrderStore();
    orders.remember(Array.from({ length: 700 }, (_, index) => execution(index, String(index + 1), "canceled", "canceled")));
    expect(orders.closed.value).toHaveLength(500);
    expect(orders.closed.value[0]?.orderId).toBe("700");
  });
});

describe("ToastStore", () => {
  it("shows a few, and takes each away after its time", () => {
    vi.useFakeTimers();
    const toasts = new ToastStore();
    for (const title of ["a", "b", "c", "d"]) toasts.show("good", title);
    toasts.show("bad", "e");
    expect(toasts.shown.value.map(({ title }) => title)).toEqual(["b", "c", "d", "e"]);
    vi.advanceTimersByTime(6_000);
    expect(toasts.shown.value.map(({ title }) => title)).toEqual(["e"]);
    toasts.hold();
    vi.advanceTimersByTime(60_000);
    expect(toasts.shown.value).toHaveLength(1);
    toasts.release();
    vi.advanceTimersByTime(12_000);
    expect(toasts.shown.value).toEqual([]);
    vi.useRealTimers();
  });
});
