import { Client, Ed25519Key } from "tradewire-client";

const client = await Client.fromDemo();

const { key, publicKey } = await Ed25519Key.generate();
const created = await client.keys.create({ publicKey, scopes: ["read"], label: "my bot" });
const apiKey = created.key?.apiKey ?? "";

const bot = await Client.fromDemo({ credentials: key.withApiKey(apiKey) });
console.log((await bot.account.balances()).balances.length, "balances");
console.log("clock differs by", bot.session.clockOffsetMs, "ms;", bot.session.environment);
await bot.close();

await client.keys.revoke(apiKey);
await client.close();
