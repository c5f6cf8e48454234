/** What a program gives and cannot be right is refused before anything is sent, and says what can. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { OrderService } from "../src/contract.js";
import { Client, ConfigurationError, Ed25519Key, SignedRest } from "../src/index.js";
import { type Floor, floor, LIMIT, placed } from "./clients.js";

/* eslint-disable @typescript-eslint/no-explicit-any, @typescript-eslint/no-unsafe-argument,
   @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return
   -- what the compiler would refuse is the point of this file */

/** As a program that nobody compiled writes it. */
type Unchecked = any;

const URL = "http://127.0.0.1:1";

describe("fields that do not exist", () => {
  const calls: Record<string, (client: Unchecked) => unknown> = {
    'order: there is no field "qty", did you mean "quantity"': ({ orders }) =>
      orders.place({ ...LIMIT, qty: "1" }),
    'order: there is no field "postOnIy", did you mean "postOnly"': ({ orders }) =>
      orders.place({ ...LIMIT, postOnIy: "strict" }),
    'order: there is no field "time_in_force", did you mean "timeInForce"': ({ orders }) =>
      orders.placeMany([LIMIT, { ...LIMIT, time_in_force: "ioc" }]),
    'options: there is no field "ovr", did you mean "over"': ({ orders }) =>
      orders.place(LIMIT, { ovr: "websocket" }),
    'amendment: there is no field "prize", did you mean "price"': ({ orders }) =>
      orders.amend("7", { prize: "1" }),
    'options: there is no field "signl", did you mean "signal"': ({ orders }) =>
      orders.amend("7", { price: "1" }, { signl: undefined }),
    'cancellation: there is no field "valid_until", did you mean "validUntil"': ({ orders }) =>
      orders.cancel("7", { valid_until: new Date(0) }),
    'which: there is no field "sym", did you mean "symbol"': ({ orders }) =>
      orders.cancelAll({ sym: "BTC-USD" }),
    'target: there is no field "clOrdId", did you mean "clientOrderId"': ({ orders }) =>
      orders.cancelMany(["7", { clOrdId: "a" }]),
    'options: there is no field "acount", did you mean "account"': ({ orders }) =>
      orders.get("7", { acount: "bob" }),
    'options: there is no field "pagesize", did you mean "pageSize"': ({ orders }) =>
      orders.list("open", { pagesize: 1 }),
    'options: there is no field "fromSequence"; there are over, signal': ({ executions }) =>
      executions.list({ fromSequence: 1n }),
    'options: there is no field "after_sequence", did you mean "afterSequence"': ({ executions }) =>
      executions.follow({ after_sequence: 1n }),
    'options: there is no field "snapshots", did you mean "snapshot"': ({ account }) =>
      account.follow({ snapshots: true }),
    'options: there is no field "acc", did you mean "account"': ({ account }) =>
      account.balances({ acc: "bob" }),
    'options: there is no field "withoutTrade", did you mean "withoutTrades"': ({ market }) =>
      market.follow(["BTC-USD"], { withoutTrade: true }),
    'options: there is no field "levels"; there are depth': ({ market }) =>
      market.book("BTC-USD", { levels: 5 }),
    'options: there is no field "dpth", did you mean "depth"': ({ market }) =>
      market.getBook("BTC-USD", { dpth: 5 }),
    'options: there is no field "afterTradeID", did you mean "afterTradeId"': ({ market }) =>
      market.trades("BTC-USD", { afterTradeID: 5n }),
    'options: there is no field "pageSize"; there are afterTradeId': ({ market }) =>
      market.followTrades("BTC-USD", { pageSize: 5 }),
    'options: there is no field "start", did you mean "startTime"': ({ market }) =>
      market.candles("BTC-USD", "1m", { start: new Date(0) }),
    'options: there is no field "x"': ({ market }) => market.ticker("BTC-USD", { x: 1 }),
    'key: there is no field "scope", did you mean "scopes"': ({ keys }) => keys.create({ scope: ["read"] }),
    'successor: there is no field "overlap", did you mean "overlapSeconds"': ({ keys }) =>
      keys.rotate("key", { overlap: 1 }),
    'GetOrderRequest: there is no field "orderId"; there are target, account': (client) =>
      client.call(OrderService.method.getOrder, { orderId: "7" }),
    'PlaceOrderRequest: there is no field "qty", did you mean "quantity"': (client) =>
      client.call(OrderService.method.placeOrders, { orders: [{ ...LIMIT, side: 1, type: 1, qty: "1" }] }),
  };

  test.each(Object.entries(calls))("%s", async (text, call) => {
    const { client, venue, world } = floor();
    const outcome = world.until(Promise.resolve().then(() => call(client)));
    await expect(outcome).rejects.toThrow(TypeError);
    await expect(outcome).rejects.toThrow(text);
    expect(venue.requests).toEqual([]);
  });

  test.each<[string, Unchecked]>([
    ['options: there is no field "credential", did you mean "credentials"', { credential: {} }],
    ['retry: there is no field "maxAttempts"; there are attempts, deadlineMs', { retry: { maxAttempts: 1 } }],
    ['streamPolicy: there is no field "quiet", did you mean "quietMs"', { streamPolicy: { quiet: 1 } }],
    ['connectionPolicy: there is no field "pendingMaximum"', { connectionPolicy: { pendingMaximum: 1 } }],
    ['calls: "ws" is none of grpc-web, websocket', { calls: "ws" }],
    ['streams: "toString" is none of grpc-web, websocket', { streams: "toString" }],
    ["credentials: a key", { credentials: "secret" }],
    ["credentials: a key", { credentials: { tocken: "secret" } }],
  ])("%s", (text, options) => {
    const make = (): unknown => new Client({ url: URL, ...options });
    expect(make).toThrow(TypeError);
    expect(make).toThrow(text);
    expect(make).not.toThrow("secret");
  });

  test("of signed REST, in the set-up and in a request", async () => {
    const { key } = await Ed25519Key.generate();
    const options: Unchecked = { url: URL, key, enviroment: "sandbox" };
    expect(() => new SignedRest(options)).toThrow('"enviroment", did you mean "environment"');
    const request: Unchecked = { method: "POST", path: "/v1/orders", boby: {} };
    const rest = new SignedRest({ url: URL, key, fetch: () => expect.unreachable() });
    await expect(rest.send(request)).rejects.toThrow('request: there is no field "boby", did you mean "body"');
  });

  test("what is no object at all is refused, too", async () => {
    const { orders }: Unchecked = floor().client;
    await expect(orders.place("BTC-USD")).rejects.toThrow('order: an object is needed, not "BTC-USD"');
    await expect(orders.amend("7", null)).rejects.toThrow("amendment: an object is needed, not null");
    expect(() => new (Client as Unchecked)()).toThrow("options: an object is needed, not undefined");
  });

  test("a field that exists and is undefined is as if it were absent", async () => {
    const { client, venue, world } = floor();
    venue.handlers["orders.place"] = ({ params }) => placed(params["clientOrderId"]);
    await world.until(client.orders.place({ ...LIMIT, postOnly: undefined }, { over: undefined }));
    expect(venue.asked("orders.place")).toHaveLength(1);
  });

  test("a call of the contract takes the fields of its message, however deep", async () => {
    const { client, venue, world } = floor();
    venue.handlers["orders.get"] = () => placed("a");
    const target = { case: "clientOrderId", value: "a" } as const;
    await world.until(client.call(OrderService.method.getOrder, { target, account: "bob" }));
    expect(venue.asked("orders.get")).toEqual([{ account: "bob", clientOrderId: "a" }]);
  });
});

describe("which order is meant", () => {
  let each: Floor;
  beforeEach(() => {
    each = floor();
    for (const name of ["orders.get", "orders.amend", "orders.cancel"]) {
      each.venue.handlers[name] = () => placed("mine");
    }
  });

  test.each([
    ["7", { orderId: "7" }, { orderId: "7" }],
    [{ orderId: "7" }, { orderId: "7" }, { orderId: "7" }],
    [{ clientOrderId: "a" }, { clientOrderId: "a" }, { originalClientOrderId: "a" }],
    [{ originalClientOrderId: "a" }, { clientOrderId: "a" }, { originalClientOrderId: "a" }],
    [{ orderId: undefined, clientOrderId: "a" } as Unchecked, { clientOrderId: "a" }, { originalClientOrderId: "a" }],
  ])("%j in reads, amends and cancels alike", async (target, read, changed) => {
    const { client, venue, world } = each;
    await world.until(client.orders.get(target));
    await world.until(client.orders.amend(target, { price: "1", clientOrderId: "c" }));
    await world.until(client.orders.cancel(target, { clientOrderId: "d" }));
    expect(venue.asked("orders.get")).toEqual([read]);
    expect(venue.asked("orders.amend")).toEqual([{ ...changed, clientOrderId: "c", price: "1" }]);
    expect(venue.asked("orders.cancel")).toEqual([{ ...changed, clientOrderId: "d" }]);
  });

  test("an order itself names itself", async () => {
    const { client, venue, world } = each;
    const order = await world.until(client.orders.get("7"));
    await world.until(client.orders.cancel(order, { clientOrderId: "d" }));
    expect(venue.asked("orders.cancel")).toEqual([{ orderId: "7", clientOrderId: "d" }]);
  });

  test.each<[string, Unchecked]>([
    ["target: 5 names no order; what does is an order id, { orderId }", 5],
    ["target: null names no order", null],
    ["target: undefined names no order", undefined],
    ["target: {  } names no one order", {}],
    ["target: { orderId: 5 } names no one order", { orderId: 5 }],
    ['target: { orderId: "7", clientOrderId: "a" } names no one order', { orderId: "7", clientOrderId: "a" }],
    ['target: there is no field "id"', { id: "7" }],
  ])("%s", async (text, target) => {
    const { orders } = each.client;
    for (const call of [() => orders.get(target), () => orders.amend(target, {}), () => orders.cancel(target)]) {
      await expect(call()).rejects.toThrow(TypeError);
      await expect(call()).rejects.toThrow(text);
    }
    expect(each.venue.requests).toEqual([]);
  });
});

describe("where the venue is", () => {
  test.each<[string, Unchecked]>([
    ['"127.0.0.1:28190": a URL begins with https:// or http://, e.g. http://127.0.0.1', { url: "127.0.0.1:28190" }],
    ['"localhost:8080": a URL begins with https:// or http://', { url: "localhost:8080" }],
    ["undefined: a URL begins with https:// or http://", { url: undefined }],
    ["spoken to with https", { url: "http://venue.example" }],
    ['"/v1/ws": a URL begins with wss:// or ws://, e.g. ws://127.0.0.1', { url: URL, socketUrl: "/v1/ws" }],
    ["begins with wss:// or ws://", { url: URL, socketUrl: "http://127.0.0.1:1/v1/ws" }],
    ["spoken to with wss", { url: URL, socketUrl: "ws://venue.example/v1/ws" }],
  ])("%s", (text, options) => {
    const make = (): unknown => new Client(options);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(text);
  });

  test("a way that does not exist is named, with those that do", async () => {
    const over: Unchecked = "ws";
    const place = floor().client.orders.place(LIMIT, { over });
    await expect(place).rejects.toThrow(TypeError);
    await expect(place).rejects.toThrow('over: "ws" is none of grpc-web, websocket');
  });
});

describe("the venue that `tradewire up` started", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "tradewire-"));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  test.each([["demo.json"], ["venue.json"]])("without its %s says what to do", async (name) => {
    if (name === "venue.json") {
      await writeFile(join(directory, "demo.json"), '{"environment": "sandbox", "accounts": []}');
    }
    const made = Client.fromDemo({ directory });
    await expect(made).rejects.toThrow(ConfigurationError);
    await expect(made).rejects.toThrow(`${directory}/${name} is not there. \`tradewire up\` writes it`);
    await expect(made).rejects.toThrow('Client.fromDemo({ directory: "/path/to/.tradewire" })');
    await expect(made).rejects.toMatchObject({ cause: { code: "ENOENT" } });
  });

  test("an option that is none is not another account's client", async () => {
    const options: Unchecked = { directory, acount: "demo-2" };
    await expect(Client.fromDemo(options)).rejects.toThrow(TypeError);
    await expect(Client.fromDemo(options)).rejects.toThrow('"acount", did you mean "account"');
  });
});
