import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";

import { OrderBookSchema } from "../src/contract.js";
import { bookChecksum, type Level, LocalBook } from "../src/index.js";
import { floor } from "./clients.js";
import type { FakeVenue } from "./fake_venue.js";

const METHOD = "marketData.stream";

function levels(...texts: string[]): Level[] {
  return texts.map((text) => {
    const [price = "", quantity = ""] = text.split(":");
    return { price, quantity };
  });
}

interface Change {
  readonly bids?: string[];
  readonly asks?: string[];
  readonly sequence: number;
  readonly previous?: number;
  readonly epoch?: number;
  readonly checksum: number;
}

/** A message of the stream; without `previous` it is a snapshot. */
function change({ bids = [], asks = [], sequence, previous, epoch = 3, checksum }: Change): {
  symbol: string;
  epoch: string;
  sequence: string;
  previousSequence: string;
  snapshot: boolean;
  bids: Level[];
  asks: Level[];
  checksum: number;
} {
  return {
    symbol: "BTC-USD",
    epoch: String(epoch),
    sequence: String(sequence),
    previousSequence: String(previous ?? 0),
    snapshot: previous === undefined,
    bids: levels(...bids),
    asks: levels(...asks),
    checksum,
  };
}

function message(given: Change): ReturnType<typeof create<typeof OrderBookSchema>> {
  const { epoch, sequence, previousSequence, ...others } = change(given);
  return create(OrderBookSchema, {
    ...others,
    epoch: BigInt(epoch),
    sequence: BigInt(sequence),
    previousSequence: BigInt(previousSequence),
  });
}

const of = (bids: string[], asks: string[]): number => bookChecksum(levels(...bids), levels(...asks));

describe("the checksum", () => {
  test("is that of the contract's vector", () => {
    expect(of(["100.5:2", "100:1.5"], ["101:3"])).toBe(492654767);
  });

  test("of an empty book is that of an empty text", () => {
    expect(of([], [])).toBe(0);
  });

  test("is over ten levels of each side and no more", () => {
    const bids = Array.from({ length: 12 }, (_, place) => `${String(100 - place)}:1`);
    expect(of(bids, [])).toBe(of(bids.slice(0, 10), []));
    expect(of(bids, [])).not.toBe(of(bids.slice(0, 9), []));
  });
});

describe("a copy of a book", () => {
  const first = {
    bids: ["100.5:2", "100:1.5"],
    asks: ["101:3", "102:1"],
    sequence: 10,
    checksum: of(["100.5:2", "100:1.5"], ["101:3", "102:1"]),
  };

  test("follows changes: new, changed and removed levels, in the order of prices", () => {
    const book = new LocalBook("BTC-USD", 10);
    book.apply(message(first));
    book.apply(
      message({
        bids: ["100.50:0", "99.75:4", "100.75:1"],
        asks: ["101:2.5", "100.9:1"],
        sequence: 12,
        previous: 10,
        checksum: of(["100.75:1", "100:1.5", "99.75:4"], ["100.9:1", "101:2.5", "102:1"]),
      }),
    );
    expect(book.view(2)).toEqual({
      symbol: "BTC-USD",
      epoch: 3n,
      sequence: 12n,
      bids: levels("100.75:1", "100:1.5"),
      asks: levels("100.9:1", "101:2.5"),
    });
  });

  test("compares prices by value: 9.5 is worse than 10 for a bid", () => {
    const book = new LocalBook("BTC-USD", 10);
    const bids = ["9.5:1", "10:1", "9.25:1"];
    book.apply(message({ bids, sequence: 1, checksum: of(["10:1", "9.5:1", "9.25:1"], []) }));
    expect(book.view(10)?.bids).toEqual(levels("10:1", "9.5:1", "9.25:1"));
  });

  test("has no more levels than were asked for", () => {
    const book = new LocalBook("BTC-USD", 10);
    const bids = Array.from({ length: 10 }, (_, place) => `${String(100 - place)}:1`);
    book.apply(message({ bids, sequence: 1, checksum: of(bids, []) }));
    const after = ["101:1", ...bids.slice(0, 9)];
    book.apply(message({ bids: ["101:1"], sequence: 2, previous: 1, checksum: of(after, []) }));
    expect(book.view(100)?.bids).toEqual(levels(...after));
  });

  test.each([
    ["an update that continues another state", { sequence: 13, previous: 11 }],
    ["another epoch", { sequence: 12, previous: 10, epoch: 4 }],
    ["another checksum", { sequence: 12, previous: 10, checksum: 1 }],
  ])("%s ends it until the next snapshot", (_, wrong) => {
    const book = new LocalBook("BTC-USD", 10);
    book.apply(message(first));
    const { checksum } = first;
    expect(() => {
      book.apply(message({ checksum, ...wrong }));
    }).toThrow("BTC-USD");
    expect(book.view(10)).toBeUndefined();
    expect(() => {
      book.apply(message({ sequence: 14, previous: 13, checksum }));
    }).toThrow("before the first snapshot");
    book.apply(message({ ...first, sequence: 20 }));
    expect(book.view(1)?.sequence).toBe(20n);
  });

  test("an update before any snapshot is refused", () => {
    const book = new LocalBook("BTC-USD", 10);
    expect(() => {
      book.apply(message({ sequence: 2, previous: 1, checksum: 0 }));
    }).toThrow("before the first snapshot");
  });
});

describe("a feed", () => {
  const book = (sequence: number, previous?: number, checksum?: number): unknown => ({
    batch: {
      book: change({
        bids: [`${String(sequence)}:1`, ...(previous === undefined ? [] : [`${String(previous)}:0`])],
        sequence,
        checksum: checksum ?? of([`${String(sequence)}:1`], []),
        ...(previous === undefined ? {} : { previous }),
      }),
    },
  });
  const trades = (...ids: number[]): unknown => ({
    batch: { trades: ids.map((id) => ({ tradeId: String(id), symbol: "BTC-USD", price: "1" })) },
  });

  function script(venue: FakeVenue, ...openings: unknown[][]): void {
    let opened = 0;
    venue.handlers[METHOD] = (_, link) => {
      const subscription = link.subscribed();
      const messages = openings[opened] ?? [];
      opened += 1;
      queueMicrotask(() => {
        for (const each of messages) {
          link.push(METHOD, subscription.subscription, each);
        }
      });
      return subscription;
    };
  }

  test("hands out the newest book to who reads slowly, and all trades up to a bound", async () => {
    const { client, venue, world } = floor({ credentials: undefined });
    const many = Array.from({ length: 1_005 }, (_, place) => place + 2);
    script(venue, [book(1), trades(1), book(2, 1), trades(...many), book(3, 2)]);
    const feed = client.market.follow(["BTC-USD"], { depth: 5 });
    const next = feed.next();
    await world.settle();
    const found = [await world.until(next), await world.until(feed.next())].flatMap((each) =>
      each.value === undefined ? [] : [each.value],
    );
    expect(found.at(-1)?.book?.sequence).toBe(3n);
    const seen = found.flatMap((each) => each.trades.map((trade) => Number(trade.tradeId)));
    const skipped = found.reduce((sum, each) => sum + each.tradesSkipped, 0);
    expect(seen.length + skipped).toBe(1_006);
    expect(seen.at(-1)).toBe(1_006);
    expect(skipped).toBeGreaterThan(0);
    feed.close();
    expect(venue.asked(METHOD)).toEqual([{ symbols: ["BTC-USD"], depth: 10 }]);
  });

  test("takes a fresh snapshot when the copy does not fit", async () => {
    const { client, venue, world } = floor({ credentials: undefined });
    script(venue, [book(1), book(3, 2)], [book(5), book(6, 5)]);
    const feed = client.market.book("BTC-USD");
    const sequences: bigint[] = [];
    while (sequences.at(-1) !== 6n) {
      const { value } = await world.until(feed.next());
      sequences.push(value?.sequence ?? 0n);
    }
    expect([feed.resyncCount, feed.resumeCount]).toEqual([1, 1]);
    expect(venue.asked(METHOD)).toHaveLength(2);
    expect(venue.asked("subscription.cancel")).toEqual([{ subscription: 1 }]);
    feed.close();
  });

  test("gives a copy up that is wrong again and again", async () => {
    const { client, venue, world } = floor({ credentials: undefined });
    script(venue, ...Array.from({ length: 9 }, () => [book(1, undefined, 12345)]));
    await expect(world.until(client.market.book("BTC-USD").next())).rejects.toMatchObject({
      name: "BookCorrupted",
    });
    expect(venue.asked(METHOD)).toHaveLength(4);
  });

  test("goes on with a snapshot after a lost connection", async () => {
    const { client, venue, world } = floor({ credentials: undefined });
    script(venue, [book(1)], [book(9)]);
    const feed = client.market.book("BTC-USD");
    expect((await world.until(feed.next())).value?.sequence).toBe(1n);
    venue.link.lose();
    expect((await world.until(feed.next())).value?.sequence).toBe(9n);
    expect([feed.resumeCount, feed.resyncCount]).toEqual([1, 0]);
    feed.close();
  });

  test("every trade comes once, also those that the stream left out", async () => {
    const { client, venue, world } = floor({ credentials: undefined });
    const caughtUp = { caughtUp: {} };
    script(venue, [caughtUp, trades(8), trades(11, 12)], [caughtUp, trades(12, 15)]);
    const known = Array.from({ length: 15 }, (_, place) => place + 1);
    let newest = 7;
    venue.handlers["instruments.trades"] = ({ params }) => {
      const after = params["afterTradeId"];
      const ids = known.filter((id) =>
        after === undefined ? id === newest : id > Number(after) && id <= newest,
      );
      newest = Math.max(newest, after === undefined ? 7 : 10);
      return { trades: ids.map((id) => ({ tradeId: String(id), symbol: "BTC-USD" })) };
    };
    const feed = client.market.followTrades("BTC-USD");
    const read = async (count: number): Promise<number[]> => {
      const ids: number[] = [];
      while (ids.length < count) {
        ids.push(Number((await feed.next()).value?.tradeId));
      }
      return ids;
    };
    expect(await world.until(read(5))).toEqual([8, 9, 10, 11, 12]);
    newest = 14;
    venue.link.lose();
    expect(await world.until(read(3))).toEqual([13, 14, 15]);
  });
});
