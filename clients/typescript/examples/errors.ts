import { Client, NotFound, Refused, Rejected, UnknownOutcome } from "tradewire-client";

const client = await Client.fromDemo();
try {
  await client.orders.place({
    symbol: "BTC-USD",
    side: "buy",
    type: "limit",
    quantity: "1",
    price: "100.255",
  });
} catch (error) {
  if (error instanceof Refused) {
    // Nothing happened, the client order id is free.
    console.log(error.reason, error.fieldViolations, error.advice);
  } else if (error instanceof Rejected) {
    // There is an execution that says so.
    console.log(error.reason, error.metadata["sequence"]);
  } else if (error instanceof UnknownOutcome) {
    // It may have happened: ask.
    const { clientOrderId } = error;
    const found = await client.orders.get({ clientOrderId }).catch((answer: unknown) => answer);
    console.log(found instanceof NotFound ? "it had no effect" : found);
  } else {
    throw error;
  }
}
await client.close();
