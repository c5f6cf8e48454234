// Follows the account's executions over WebSocket without a gap, with the SDK: it connects again
// and resumes by itself. Needs tradewire-client, TRADEWIRE_API_KEY and the key's file.
// Ends after as many executions as the first argument says; without one it goes on.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Client, Ed25519Key, ExecutionType } from "tradewire-client";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const pem = readFileSync(process.env.TRADEWIRE_KEY_FILE ?? "tradewire.pem", "utf8");
const credentials = await Ed25519Key.fromPem(process.env.TRADEWIRE_API_KEY!, pem);
const place = "executions.place";
let left = Number(process.argv[2] ?? Infinity);

const client = new Client({ url, credentials });
try {
  const afterSequence = existsSync(place) ? BigInt(readFileSync(place, "utf8")) : 0n;
  for await (const execution of client.executions.follow({ afterSequence })) {
    const type = ExecutionType[execution.type];
    console.log(execution.sequence, type, execution.order?.clientOrderId);
    writeFileSync(place, String(execution.sequence));
    if (--left <= 0) break;
  }
} finally {
  await client.close();
}
