import { readFile } from "node:fs/promises";

import { type KeyEntry, keyFromEntry, SignedRest } from "tradewire-client";

// What `tradewire up` writes; a key of your own is a file of its own.
const demo = JSON.parse(await readFile(".tradewire/demo.json", "utf8")) as { accounts: [KeyEntry] };
const venue = JSON.parse(await readFile(".tradewire/venue.json", "utf8")) as { rest: string };

const rest = new SignedRest({ url: venue.rest, key: await keyFromEntry(demo.accounts[0]) });
console.log(await rest.send({ method: "GET", path: "/v1/orders?symbol=BTC-USD" }));
console.log(await rest.send({ method: "POST", path: "/v1/orders:cancelAll", body: {} }));
