import { Client } from "tradewire-client";

const client = await Client.fromDemo();

const stream = client.executions.follow({ snapshot: true });
const snapshot = await stream.snapshot();
console.log("at", snapshot.asOfSequence, snapshot.orders.length, "working orders");
for (const balance of snapshot.balances) {
  console.log(balance.asset, balance.available, balance.held);
}
stream.close();
await client.close();
