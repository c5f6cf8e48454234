import { Client, ExecutionType } from "tradewire-client";

const client = await Client.fromDemo();

// In a real program these two come from your database.
const [afterSequence, journalId] = [0n, ""];

const stream = client.executions.follow({ afterSequence, journalId });
for await (const execution of stream) {
  console.log(execution.sequence, ExecutionType[execution.type], execution.order?.clientOrderId);
  // Store stream.sequence and stream.journalId together with what you did.
  if (execution.sequence === 3n) {
    break;
  }
}
console.log("resumed", stream.resumeCount, "times");
await client.close();
