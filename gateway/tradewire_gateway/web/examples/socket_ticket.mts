// Connects with a ticket, as a page does that must not have the key. Needs tradewire-client and,
// for the part that is the page's server here, TRADEWIRE_TOKEN.
import { Client } from "tradewire-client";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";

/** Gets a ticket; in a page this asks your own server, which has the key. */
async function ticket(): Promise<string> {
  const headers = { authorization: `Bearer ${process.env.TRADEWIRE_TOKEN}` };
  const answer = await fetch(`${url}/v1/sessions:ticket`, { method: "POST", headers });
  if (!answer.ok) throw new Error(await answer.text());
  return ((await answer.json()) as { ticket: string }).ticket;
}

const client = new Client({ url, credentials: { ticket }, calls: "websocket" });
try {
  const account = await client.account.get();
  console.log("signed in as", account.account?.account);
} finally {
  await client.close();
}
