import { Client } from "tradewire-client";

// The page's own server has the key; it calls CreateTicket and hands the ticket out.
async function ticket(): Promise<string> {
  const response = await fetch("/ticket");
  return response.text();
}

const client = new Client({
  url: document.body.dataset["venue"] ?? location.origin,
  credentials: { ticket },
  calls: "websocket",
});
client.connection.onState(({ phase }) => {
  document.body.dataset["connection"] = phase;
});

const best = document.querySelector("output");
for await (const { book } of client.market.follow(["BTC-USD"], { withoutTrades: true })) {
  const { balances } = await client.account.balances();
  best?.replaceChildren(`${book?.bids[0]?.price ?? "none"} ${balances[0]?.asset ?? ""}`);
}
