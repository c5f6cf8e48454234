// Keeps a copy of an order book and checks it at each step. Needs Node 20.15.
// Ends after as many updates as the first argument says; without one it goes on.
import { crc32 } from "node:zlib";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
// The checksum is over ten levels, so a copy has at least ten.
const DEPTH = 10;

/** An update does not fit the copy: take a new snapshot. */
class OutOfSync extends Error {}

/** One side. Prices of one instrument have few digits: `Number` orders them, the text is kept. */
class Side {
  private levels = new Map<number, string>();
  constructor(private readonly sign: 1 | -1) {}

  change(levels: { price: string; quantity: string }[]): void {
    for (const { price, quantity } of levels) {
      if (Number(quantity) === 0) this.levels.delete(Number(price));
      else this.levels.set(Number(price), `${price}:${quantity}`);
    }
    // What falls out of the view is not updated any more.
    for (const price of this.prices().slice(DEPTH)) this.levels.delete(price);
  }

  clear(): void {
    this.levels.clear();
  }

  best(): string[] {
    return this.prices().slice(0, 10).map((price) => this.levels.get(price)!);
  }

  private prices(): number[] {
    return [...this.levels.keys()].sort((one, other) => this.sign * (one - other));
  }
}

class Book {
  readonly bids = new Side(-1);
  readonly asks = new Side(1);
  private epoch = "";
  sequence = "";

  apply(message: any): void {
    if (message.snapshot) {
      this.bids.clear();
      this.asks.clear();
    } else if (message.epoch !== this.epoch || message.previousSequence !== this.sequence) {
      throw new OutOfSync(`${message.previousSequence} does not continue ${this.sequence}`);
    }
    this.bids.change(message.bids);
    this.asks.change(message.asks);
    this.epoch = message.epoch;
    this.sequence = message.sequence;
    // Bid 1, ask 1, bid 2, ask 2, ...; a level that is missing is left out.
    const [bids, asks] = [this.bids.best(), this.asks.best()];
    const texts = Array.from({ length: 10 }, (_, level) => [bids[level], asks[level]]).flat();
    if (crc32(texts.filter((text) => text !== undefined).join("|")) !== message.checksum) {
      throw new OutOfSync(`the checksum differs at ${message.sequence}`);
    }
  }
}

/** Gives the copy after each change, from a new snapshot whenever it is lost. */
async function* books(symbol: string): AsyncGenerator<Book> {
  for (;;) {
    const book = new Book();
    try {
      const query = `symbols=${symbol}&depth=${DEPTH}&withoutTrades=true`;
      const response = await fetch(`${url}/v1/marketData:stream?${query}`);
      let rest = "";
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop()!;
        for (const line of lines.filter((line) => line.startsWith("data:"))) {
          const message = JSON.parse(line.slice(5)).batch?.book;
          if (!message) continue;
          book.apply(message);
          yield book;
        }
      }
    } catch (error) {
      console.error(`a new snapshot: ${error}`);
    }
  }
}

let left = Number(process.argv[2] ?? -1);
for await (const book of books("BTC-USD")) {
  console.log(book.sequence, book.bids.best()[0], book.asks.best()[0], "checked");
  if (--left === 0) break;
}
