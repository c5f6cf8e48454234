import { Client, Decimal } from "tradewire-client";

const client = await Client.fromDemo();

let changes = 0;
for await (const book of client.market.book("BTC-USD", { depth: 5 })) {
  const [bid, ask] = [book.bids[0], book.asks[0]];
  if (bid !== undefined && ask !== undefined) {
    console.log(book.sequence, bid.price, ask.price, String(Decimal.from(ask.price).minus(bid.price)));
  }
  if ((changes += 1) === 3) {
    break;
  }
}

for await (const instrument of client.market.instruments()) {
  console.log(instrument.symbol, instrument.tickSize, instrument.lotSize);
}
await client.close();
