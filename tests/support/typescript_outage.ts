/**
 * Places orders and follows executions and a book while the venue is killed and comes back; at the
 * end says as JSON what it saw. Prints a dot for each answered order, and a line feed whenever all
 * streams have gone on after an outage.
 */

import { Client, type Over } from "tradewire-client";

const ORDERS_MIN = 40;
const url = process.env["TRADEWIRE_URL"] ?? "";
const until = Number(process.env["TRADEWIRE_RESUMES"] ?? "1");

const retry = { attempts: 60, deadlineMs: 60_000, maximumBackoffMs: 500, attemptTimeoutMs: 3_000 };
const client = await Client.fromDemo({ retry, ...(url === "" ? {} : { url }) });
const phases: string[] = [];
client.connection.onState(({ phase }) => phases.push(phase));

const stream = await client.executions.follow({ afterSequence: 0n }).begin();
const sequences: bigint[] = [];
const news = new Map<string, number>();
const following = (async (): Promise<void> => {
  for await (const execution of stream) {
    sequences.push(execution.sequence);
    const id = execution.order?.clientOrderId ?? "";
    news.set(id, (news.get(id) ?? 0) + 1);
  }
})();

// The same over gRPC-web, and the movements of money.
const web = await Client.fromDemo({ retry, streams: "grpc-web" });
const webStream = web.executions.follow({ afterSequence: 0n });
const webSequences: bigint[] = [];
const ledger = web.account.follow({ afterSequence: 0n });
const entries: bigint[] = [];
const alsoFollowing = [
  (async (): Promise<void> => {
    for await (const { sequence } of webStream) {
      webSequences.push(sequence);
    }
  })(),
  (async (): Promise<void> => {
    for await (const { ledgerSequence } of ledger) {
      entries.push(ledgerSequence);
    }
  })(),
];

const books = client.market.book("BTC-USD");
let bookStates = 0;
const watching = (async (): Promise<void> => {
  for await (const book of books) {
    bookStates += book.bids.length > 0 ? 1 : 0;
  }
})();

let isOver = false;
async function trade(over: Over): Promise<string[]> {
  const placed: string[] = [];
  while (!isOver || placed.length < ORDERS_MIN) {
    const price = String(100 + placed.length / 100);
    const order = { symbol: "BTC-USD", side: "buy", type: "limit", quantity: "0.01", price } as const;
    placed.push((await client.orders.place(order, { over })).clientOrderId);
    process.stdout.write(".");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return placed;
}

const trading = Promise.all([trade("websocket"), trade("grpc-web")]);
const streams = [stream, books, webStream, ledger];
for (let outages = 1; outages <= until; outages += 1) {
  while (streams.some(({ resumeCount }) => resumeCount < outages)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  process.stdout.write("\n");
}
isOver = true;
const [overSocket, overWeb] = await trading;
const { asOfSequence } = await client.executions.list({ pageSize: 1 });
while ([stream, webStream].some(({ sequence = 0n }) => sequence < asOfSequence)) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
for (const each of streams) {
  each.close();
}
await Promise.all([following, watching, ...alsoFollowing]);

const inOrder = (numbers: readonly bigint[]): boolean =>
  numbers.every((number, place) => number === BigInt(place + 1));
const placed = [...overSocket, ...overWeb];
process.stdout.write(
  `\n${JSON.stringify({
    placed: placed.length,
    once: placed.every((id) => news.get(id) === 1),
    known: news.size,
    gapless: inOrder(sequences) && inOrder(webSequences) && inOrder(entries),
    entries: entries.length,
    asOfSequence: Number(asOfSequence),
    received: [sequences.length, webSequences.length],
    resumes: client.resumeCount,
    connects: client.connection.connectCount,
    resyncs: books.resyncCount,
    bookStates,
    phases: [...new Set(phases)].sort(),
  })}\n`,
);
await Promise.all([client.close(), web.close()]);
