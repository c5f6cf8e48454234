// Calls the TypeScript client as told on standard input, one JSON object a line, and answers on
// standard output. Arguments: the client's folder, then the set-up as JSON.
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, setUp] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(folder, "dist", name)).href);
const { Client, Ed25519Key, ConfigurationError, TradewireError } = await load("index.js");
const { OrderSchema, ExecutionSchema } = await load("contract.js");
const { toJson } = await import(
  pathToFileURL(join(folder, "node_modules/@bufbuild/protobuf/dist/esm/index.js")).href
);
const { url, calls, keys } = JSON.parse(setUp);

const clients = {};
for (const { account, api_key, private_key } of keys) {
  clients[account] = new Client({
    url,
    calls,
    credentials: await Ed25519Key.fromSeed(api_key, private_key),
    // Every answer is looked at, so nothing is repeated.
    retry: { attempts: 1 },
  });
}

const TIMES = ["expireTime", "validUntil"];

function withTimes(given) {
  const found = { ...given };
  for (const name of TIMES) {
    if (name in found) {
      found[name] = { seconds: BigInt(found[name].seconds), nanos: found[name].nanos };
    }
  }
  return found;
}

const order = (answer) => ({
  order: toJson(OrderSchema, answer),
  asOfSequence: String(answer.asOfSequence),
  priorityKept: answer.priorityKept,
});

const unwrapped = ([{ order: found, error }]) => {
  if (error !== undefined) {
    throw error;
  }
  return order(found);
};

const METHODS = {
  place: async ({ orders }, { what }) => order(await orders.place(what)),
  placeMany: async ({ orders }, { what: { account, ...item } }) =>
    unwrapped(await orders.placeMany([item], { account })),
  amend: async ({ orders }, { target, what }) => order(await orders.amend(target, what)),
  cancel: async ({ orders }, { target, what }) => order(await orders.cancel(target, what)),
  cancelAll: async ({ orders }, { what }) => {
    const { canceledCount, asOfSequence } = await orders.cancelAll(what);
    return { canceledCount, asOfSequence: String(asOfSequence) };
  },
  // Follows until an execution of a number is there, and leaves.
  executions: async ({ executions }, { after, until }) => {
    const found = [];
    for await (const execution of executions.follow({ afterSequence: BigInt(after) })) {
      found.push(toJson(ExecutionSchema, execution));
      if (execution.sequence >= BigInt(until)) {
        break;
      }
    }
    return { executions: found };
  },
};

async function answer({ account, method, what = {}, ...about }) {
  try {
    return await METHODS[method](clients[account], { ...about, what: withTimes(what) });
  } catch (error) {
    if (error instanceof ConfigurationError || error instanceof TypeError) {
      return { cannotSay: String(error) };
    }
    if (!(error instanceof TradewireError)) {
      throw error;
    }
    return {
      error: {
        reason: error.reasonName,
        message: error.message,
        metadata: error.metadata,
        fields: error.fieldViolations.map(({ field }) => field),
      },
    };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
await Promise.all(Object.values(clients).map((client) => client.close()));
