import { describe, expect, test } from "vitest";

import type { ExecutionStream, Resumed } from "../src/index.js";
import { floor } from "./clients.js";
import { Failure, type FakeLink, type FakeVenue, status } from "./fake_venue.js";

const METHOD = "executions.stream";

function batch(...sequences: number[]): Record<string, unknown> {
  return {
    batch: { executions: sequences.map((sequence) => ({ sequence: String(sequence), order: {} })) },
  };
}

function caughtUp(asOfSequence: number, journalId = "journal"): Record<string, unknown> {
  return { caughtUp: { asOfSequence: String(asOfSequence), journalId } };
}

/** Let a venue send these messages at each opening, in turn. */
function script(venue: FakeVenue, ...openings: Record<string, unknown>[][]): void {
  let opened = 0;
  venue.handlers[METHOD] = (_, link) => {
    const messages = openings[opened] ?? [];
    opened += 1;
    const subscription = link.subscribed();
    // Right behind the answer, as fast as a socket can.
    queueMicrotask(() => {
      for (const message of messages) {
        link.push(METHOD, subscription.subscription, message);
      }
    });
    return subscription;
  };
  venue.handlers["account.get"] = () => ({ account: {}, journalId: "journal" });
}

async function take(stream: ExecutionStream, count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const { value } = await stream.next();
    found.push(Number(value?.sequence));
  }
  return found;
}

describe("executions", () => {
  test("are handed out in order, and say where they are", async () => {
    const { client, venue, world } = floor();
    script(venue, [batch(4, 5), caughtUp(5), batch(6)]);
    const stream = client.executions.follow({ afterSequence: 3n });
    expect(await world.until(take(stream, 1))).toEqual([4]);
    expect(stream.sequence).toBe(4n);
    expect(await world.until(take(stream, 2))).toEqual([5, 6]);
    expect([stream.sequence, stream.journalId, stream.caughtUp]).toEqual([6n, "journal", true]);
    expect(venue.asked(METHOD)).toEqual([{ afterSequence: "3" }]);
  });

  test("go on after the last one when the connection is lost, and count it", async () => {
    const { client, venue, world } = floor();
    const resumed: Resumed[] = [];
    client.onResume((each) => resumed.push(each));
    script(venue, [caughtUp(0), batch(1, 2)], [batch(3), caughtUp(3)], [batch(4)]);
    const stream = client.executions.follow({ afterSequence: 0n });
    expect(await world.until(take(stream, 2))).toEqual([1, 2]);
    venue.link.lose();
    expect(await world.until(take(stream, 1))).toEqual([3]);
    venue.link.lose();
    expect(await world.until(take(stream, 1))).toEqual([4]);
    expect(venue.asked(METHOD).map((params) => params["afterSequence"])).toEqual(["0", "2", "3"]);
    expect([stream.resumeCount, client.resumeCount]).toEqual([2, 2]);
    expect(resumed.map((each) => [each.stream, each.afterSequence])).toEqual([
      ["executions", 2n],
      ["executions", 3n],
    ]);
  });

  test("go on after the venue's own closing, and after silence", async () => {
    const { client, venue, world } = floor();
    const slow = status(8, "SLOW_CONSUMER", { outcome: "stream_closed", retryable: "true" });
    script(
      venue,
      [batch(1), { closing: { status: slow, resumeAfter: "1" } }],
      [batch(2)],
      [batch(3)],
    );
    const stream = client.executions.follow({ afterSequence: 0n });
    expect(await world.until(take(stream, 3))).toEqual([1, 2, 3]);
    expect(venue.links).toHaveLength(1);
  });

  test("end for good with the error of the venue", async () => {
    const { client, venue, world } = floor();
    const metadata = { first_available: "100", last_available: "200" };
    venue.handlers[METHOD] = () => new Failure(status(11, "SEQUENCE_OUT_OF_RANGE", metadata));
    const stream = client.executions.follow({ afterSequence: 1n });
    const outOfRange = { name: "OutOfRange", first: 100n, last: 200n };
    await expect(world.until(stream.next())).rejects.toMatchObject(outOfRange);
    await expect(world.until(stream.next())).rejects.toMatchObject(outOfRange);
    expect(venue.asked(METHOD)).toHaveLength(1);
  });

  test("a message that cannot be read ends that stream alone, and only for a while", async () => {
    const { client, venue, world } = floor();
    script(venue, [batch(1), { batch: { executions: "none" } }], [batch(2)]);
    const stream = client.executions.follow({ afterSequence: 0n });
    expect(await world.until(take(stream, 2))).toEqual([1, 2]);
    expect([venue.links.length, stream.resumeCount]).toEqual([1, 1]);
    expect(venue.asked("subscription.cancel")).toEqual([{ subscription: 1 }]);
  });

  test("subscription.closed with a reason that passes is one more beginning", async () => {
    const { client, venue, world } = floor();
    script(venue, [batch(1)], [batch(2)]);
    const stream = client.executions.follow({ afterSequence: 0n });
    expect(await world.until(take(stream, 1))).toEqual([1]);
    const lifetime = status(14, "STREAM_LIFETIME", { outcome: "stream_closed", retryable: "true" });
    venue.link.notify("subscription.closed", { subscription: 1, status: lifetime });
    expect(await world.until(take(stream, 1))).toEqual([2]);
  });

  test.each([
    ["a gap", [batch(1, 3)], "SequenceGap", [1]],
    ["a gap that a heartbeat tells", [batch(1), { heartbeat: { asOfSequence: "2" } }], "SequenceGap", [1]],
    ["a repetition", [batch(1, 2), batch(2)], "SequenceRepeated", [1, 2]],
    ["another journal", [batch(1), caughtUp(1, "other")], "JournalChanged", [1]],
  ])("%s is an error, behind what came before it", async (_, messages, name, before) => {
    const { client, venue, world } = floor();
    script(venue, messages);
    const stream = client.executions.follow({ afterSequence: 0n, journalId: "journal" });
    expect(await world.until(take(stream, before.length))).toEqual(before);
    await expect(world.until(stream.next())).rejects.toMatchObject({ name });
    expect(stream.sequence).toBe(BigInt(before.length));
  });

  test("of a restored venue are not handed out at all", async () => {
    const { client, venue, world } = floor();
    script(venue, [batch(1), caughtUp(1)], [batch(2)]);
    const stream = client.executions.follow({ afterSequence: 0n });
    expect(await world.until(take(stream, 1))).toEqual([1]);
    const next = stream.next();
    await world.settle();
    venue.handlers["account.get"] = () => ({ account: {}, journalId: "restored" });
    venue.link.lose();
    await expect(world.until(next)).rejects.toMatchObject({
      name: "JournalChanged",
      received: "restored",
    });
    expect(venue.asked(METHOD)).toHaveLength(1);
  });

  test("begin with a snapshot once, and go on from it by number", async () => {
    const { client, venue, world } = floor();
    const snapshot = { orders: [{ orderId: "7" }], asOfSequence: "40", journalId: "journal" };
    script(venue, [{ snapshot }, caughtUp(40), batch(41)], [batch(42)]);
    const stream = client.executions.follow({ snapshot: true });
    const taken = await world.until(stream.snapshot());
    expect([taken.orders.map((order) => order.orderId), taken.asOfSequence]).toEqual([["7"], 40n]);
    expect(await world.until(take(stream, 1))).toEqual([41]);
    venue.link.lose();
    expect(await world.until(take(stream, 1))).toEqual([42]);
    expect(venue.asked(METHOD)).toEqual([{ snapshot: true }, { afterSequence: "41" }]);
  });

  test("from now begin where the venue is", async () => {
    const { client, venue, world } = floor();
    script(venue, [caughtUp(9), batch(10)]);
    const stream = await world.until(client.executions.follow().begin());
    expect(stream.sequence).toBe(9n);
    expect(await world.until(take(stream, 1))).toEqual([10]);
  });

  test("that are not read in time are given up and fetched again by number", async () => {
    const { client, venue, world } = floor({ connectionPolicy: { queueLengthMax: 4 } });
    const one = (sequence: number): Record<string, unknown> => batch(sequence);
    script(venue, [1, 2, 3, 4, 5, 6, 7, 8].map(one), [5, 6, 7, 8].map(one));
    const stream = client.executions.follow({ afterSequence: 0n });
    expect(await world.until(take(stream, 1))).toEqual([1]);
    await world.settle();
    expect(venue.asked("subscription.cancel")).toEqual([{ subscription: 1 }]);
    expect(await world.until(take(stream, 7))).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(stream.resumeCount).toBe(1);
    expect(venue.asked(METHOD)[1]).toEqual({ afterSequence: "4" });
  });

  test("that nobody wants any more are canceled at the venue", async () => {
    const { client, venue, world } = floor();
    script(venue, [batch(1)]);
    const stream = client.executions.follow({ afterSequence: 0n });
    await world.until(
      (async (): Promise<void> => {
        for await (const execution of stream) {
          expect(execution.sequence).toBe(1n);
          break;
        }
      })(),
    );
    await world.settle();
    expect(venue.asked("subscription.cancel")).toEqual([{ subscription: 1 }]);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test("closed while somebody waits, the wait is over", async () => {
    const { client, venue, world } = floor();
    script(venue, [caughtUp(0)]);
    const stream = client.executions.follow({ afterSequence: 0n });
    const next = stream.next();
    await world.pass(50);
    stream.close();
    expect(await world.until(next)).toEqual({ done: true, value: undefined });
  });

  test("give up when they were told to", async () => {
    const { client, venue, world } = floor({
      streamPolicy: { giveUpAfterMs: 30_000 },
      connectionPolicy: { openTimeoutMs: 2_000 },
    });
    venue.isUp = false;
    const stream = client.executions.follow({ afterSequence: 0n });
    await expect(world.until(stream.next())).rejects.toMatchObject({ name: "Unavailable" });
    expect(world.monotonicMs()).toBeGreaterThanOrEqual(30_000);
    expect(world.monotonicMs()).toBeLessThan(60_000);
  });

  test("wrong questions are refused before anything is sent", () => {
    const { client } = floor();
    expect(() => client.executions.follow({ afterSequence: 1n, snapshot: true })).toThrow("exclude");
    expect(() => client.executions.follow({ afterSequence: 1 as never })).toThrow(TypeError);
  });
});

test("a stream over a link that says nothing is opened again", async () => {
  const { client, venue, world } = floor();
  const links: FakeLink[] = [];
  let opened = 0;
  venue.handlers[METHOD] = (_, link) => {
    links.push(link);
    const subscription = link.subscribed();
    opened += 1;
    if (opened === 2) {
      queueMicrotask(() => {
        link.push(METHOD, subscription.subscription, batch(1));
      });
    }
    return subscription;
  };
  const stream = client.executions.follow({ afterSequence: 0n });
  expect(await world.until(take(stream, 1))).toEqual([1]);
  expect(world.monotonicMs()).toBeGreaterThanOrEqual(25_000);
  // The connection lived: it answered what it was asked.
  expect(new Set(links).size).toBe(1);
});
