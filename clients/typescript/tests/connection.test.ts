import { describe, expect, test } from "vitest";

import { type ConnectionState, Unavailable } from "../src/index.js";
import { floor, LIMIT, placed } from "./clients.js";
import { Failure, SILENCE, status } from "./fake_venue.js";

describe("opening", () => {
  test("signs in, configures, and only then lets calls through, in their order", async () => {
    const { client, venue, world } = floor({ cancelOnDisconnect: true });
    venue.handlers["orders.place"] = ({ params }) => placed(params["clientOrderId"]);
    const orders = ["a", "b", "c"].map((clientOrderId) =>
      client.orders.place({ ...LIMIT, clientOrderId }),
    );
    const answers = await world.until(Promise.all(orders));
    expect(answers.map((order) => order.clientOrderId)).toEqual(["a", "b", "c"]);
    expect(venue.requests.map((request) => request.method)).toEqual([
      "session.time",
      "session.login",
      "connection.configure",
      "orders.place",
      "orders.place",
      "orders.place",
    ]);
    expect(venue.asked("connection.configure")).toEqual([{ cancelOnDisconnect: true }]);
    expect(venue.asked("orders.place")).toEqual(
      ["a", "b", "c"].map((clientOrderId) => ({
        clientOrderId,
        symbol: "BTC-USD",
        side: "SIDE_BUY",
        type: "ORDER_TYPE_LIMIT",
        quantity: "0.1",
        price: "100",
      })),
    );
    expect(client.connection.account).toBe("alice");
    expect(client.rateLimit).toEqual({ limit: 10, remaining: 9, resetMs: 5 });
  });

  test("works without a credential, and asks for none", async () => {
    const { client, venue, world } = floor({ credentials: undefined });
    venue.handlers["instruments.get"] = () => ({ instrument: { symbol: "BTC-USD" } });
    expect((await world.until(client.market.instrument("BTC-USD"))).symbol).toBe("BTC-USD");
    expect(venue.requests.map((request) => request.method)).toEqual(["instruments.get"]);
  });

  test("asks for a new ticket at each connection", async () => {
    let tickets = 0;
    const ticket = (): Promise<string> => Promise.resolve(`ticket-${String((tickets += 1))}`);
    const { client, venue, world } = floor({ credentials: { ticket } });
    await world.until(client.connection.connect());
    venue.link.lose();
    await world.pass(100);
    expect(client.connection.state.phase).toBe("live");
    expect(venue.asked("session.login")).toEqual([{ ticket: "ticket-1" }, { ticket: "ticket-2" }]);
  });

  test("a ticket that grew old is replaced once", async () => {
    const { client, venue, world } = floor({ credentials: { ticket: () => Promise.resolve("t") } });
    const login = venue.handlers["session.login"];
    let refusals = 1;
    venue.handlers["session.login"] = (request, link) =>
      (refusals -= 1) >= 0 ? new Failure(status(16, "TICKET_INVALID")) : login?.(request, link);
    await world.until(client.connection.connect());
    expect(venue.asked("session.login")).toHaveLength(2);
    refusals = 100;
    venue.link.lose();
    await expect(world.until(client.connection.connect())).rejects.toMatchObject({
      reason: "TICKET_INVALID",
    });
    expect(venue.asked("session.login")).toHaveLength(4);
  });

  test("a ticket that never comes keeps nobody for ever", async () => {
    const ticket = (): Promise<string> => new Promise(() => undefined);
    const { client, world } = floor({ credentials: { ticket } });
    await expect(world.until(client.connection.connect(60_000))).rejects.toMatchObject({
      name: "Unavailable",
    });
    expect(["waiting", "connecting"]).toContain(client.connection.state.phase);
    await world.until(client.close());
  });

  test("a ticket that cannot be had is asked for again later", async () => {
    let failures = 3;
    const ticket = (): Promise<string> =>
      (failures -= 1) >= 0 ? Promise.reject(new Error("down")) : Promise.resolve("t");
    const { client, venue, world } = floor({ credentials: { ticket } });
    await world.until(client.connection.connect());
    expect(venue.links).toHaveLength(4);
    expect(venue.asked("session.login")).toEqual([{ ticket: "t" }]);
  });

  test("signs by the venue's clock", async () => {
    const { client, venue, world } = floor();
    world.aheadMs = 3_600_000;
    await world.until(client.connection.connect());
    const [login] = venue.asked("session.login") as [{ signature: { timestampMs: string } }];
    expect(login.signature.timestampMs).toBe("1760000000000");
  });

  test("a timestamp outside the window is measured again, a bounded number of times", async () => {
    const { client, venue, world } = floor();
    venue.handlers["session.login"] = () => new Failure(status(16, "TIMESTAMP_OUT_OF_WINDOW"));
    await expect(world.until(client.connection.connect(60_000))).rejects.toMatchObject({
      reason: "TIMESTAMP_OUT_OF_WINDOW",
    });
    expect(venue.asked("session.login")).toHaveLength(4);
  });

  test("a sign-in that is refused for good ends it, for streams and calls too", async () => {
    const { client, venue, world } = floor();
    venue.handlers["session.login"] = () => new Failure(status(16, "KEY_REVOKED"));
    const stream = client.executions.follow({ afterSequence: 0n });
    await expect(world.until(stream.next())).rejects.toMatchObject({ reason: "KEY_REVOKED" });
    await expect(world.until(client.orders.place(LIMIT))).rejects.toMatchObject({
      name: "AuthenticationError",
    });
    expect(client.connection.state).toMatchObject({ phase: "closed", error: { reason: "KEY_REVOKED" } });
    // One sign-in for each of the two, and no third by itself.
    await world.pass(60_000);
    expect(venue.links).toHaveLength(2);
  });

  test("a venue that is away is tried again with growing waits", async () => {
    const { client, venue, world } = floor();
    venue.isUp = false;
    const states: ConnectionState[] = [];
    client.connection.onState((state) => states.push(state));
    await expect(world.until(client.connection.connect(1_000))).rejects.toBeInstanceOf(Unavailable);
    const begun = world.wallMs();
    await world.pass(20_000);
    venue.isUp = true;
    await world.until(client.connection.connect());
    expect(world.wallMs() - begun).toBeLessThan(30_000);
    const waits = states.filter((state) => state.phase === "waiting");
    expect(waits.slice(0, 3).map((state) => state.attempt)).toEqual([1, 2, 3]);
    // Full jitter of 100 ms that doubles up to 5 s, with a chance of one half.
    const times = waits.map((state) => state.retryAtMs);
    expect(times.slice(1, 9).map((time, place) => time - (times[place] ?? 0))).toEqual([
      100, 200, 400, 800, 1600, 2500, 2500, 2500,
    ]);
    expect(states.at(-1)).toEqual({ phase: "live", account: "alice" });
  });
});

describe("a lost connection", () => {
  test("comes back, and an order without an answer is sent again with the same id", async () => {
    const { client, venue, world } = floor();
    venue.handlers["orders.place"] = (_, link) => {
      link.lose();
      return SILENCE;
    };
    const order = client.orders.place(LIMIT);
    await world.settle();
    venue.handlers["orders.place"] = ({ params }) => placed(params["clientOrderId"]);
    expect((await world.until(order)).orderId).toBe("7");
    const [first, second, ...others] = venue.asked("orders.place");
    expect(second).toEqual(first);
    expect(others).toEqual([]);
    expect(client.connection.connectCount).toBe(2);
  });

  test("a key that is made is not asked for twice", async () => {
    const { client, venue, world } = floor();
    venue.handlers["keys.create"] = (_, link) => {
      link.lose();
      return SILENCE;
    };
    await expect(world.until(client.keys.create({ label: "x" }))).rejects.toMatchObject({
      name: "UnknownOutcome",
      outcome: "unknown",
    });
    expect(venue.asked("keys.create")).toHaveLength(1);
  });

  test("closing the client while an order is under way leaves its outcome unknown", async () => {
    const { client, venue, world } = floor();
    venue.handlers["orders.place"] = () => SILENCE;
    const order = client.orders.place({ ...LIMIT, clientOrderId: "mine" });
    await world.settle();
    void client.close();
    await expect(world.until(order)).rejects.toMatchObject({
      name: "UnknownOutcome",
      clientOrderId: "mine",
    });
    expect(client.connection.state).toEqual({ phase: "closed" });
  });

  test("a venue that is quiet is asked for the time, and dropped when it says nothing", async () => {
    const { client, venue, world } = floor();
    await world.until(client.connection.connect());
    await world.pass(11_000);
    expect(venue.asked("session.time")).toHaveLength(2);
    expect(client.connection.state.phase).toBe("live");
    venue.handlers["session.time"] = () => SILENCE;
    const states: string[] = [];
    client.connection.onState((state) => states.push(state.phase));
    await world.pass(60_000);
    expect(states.slice(0, 3)).toEqual(["waiting", "connecting", "live"]);
  });

  test("the reason of the close frame is the reason of the error", async () => {
    const { client, venue, world } = floor();
    await world.until(client.connection.connect());
    const states: ConnectionState[] = [];
    client.connection.onState((state) => states.push(state));
    venue.link.lose(1013, "SLOW_CONSUMER");
    await world.settle();
    expect(states[0]).toMatchObject({ phase: "waiting", error: { reason: "SLOW_CONSUMER" } });
  });
});

describe("an announced end", () => {
  test("lets what was sent be answered, sends nothing more, and comes back when told", async () => {
    const { client, venue, world } = floor();
    let held = 0;
    venue.handlers["orders.place"] = ({ id }) => {
      held = id;
      return SILENCE;
    };
    const early = client.orders.place({ ...LIMIT, clientOrderId: "early" });
    await world.settle();
    const [old] = venue.links;
    old?.notify("connection.closing", {
      status: status(14, "SERVER_DRAINING", { outcome: "stream_closed", retryable: "true" }),
      closeTime: "2025-10-09T08:54:00Z",
      retryAfterMs: "700",
    });
    venue.handlers["orders.place"] = ({ params }) => placed(params["clientOrderId"]);
    const late = client.orders.place({ ...LIMIT, clientOrderId: "late" });
    await world.settle();
    expect(old?.received.filter((request) => request.method === "orders.place")).toHaveLength(1);
    const begun = world.monotonicMs();
    old?.answer(held, { result: placed("early") });
    expect((await world.until(early)).clientOrderId).toBe("early");
    expect((await world.until(late)).clientOrderId).toBe("late");
    expect(world.monotonicMs() - begun).toBeGreaterThanOrEqual(700);
    expect(old?.isOpen).toBe(false);
    expect(venue.links).toHaveLength(2);
    expect(venue.asked("orders.place").map((params) => params["clientOrderId"])).toEqual([
      "early",
      "late",
    ]);
  });
});

test("a notice that asks for days of waiting is heeded for a minute", async () => {
  const { client, venue, world } = floor();
  await world.until(client.connection.connect());
  venue.link.notify("connection.closing", {
    status: status(14, "SERVER_DRAINING", { outcome: "stream_closed", retryable: "true" }),
    closeTime: "2025-10-09T08:54:00Z",
    retryAfterMs: "2000000000",
  });
  await world.pass(61_000);
  expect(client.connection.state.phase).toBe("live");
  expect(venue.links).toHaveLength(2);
});

describe("a session", () => {
  test("is renewed ahead of its end", async () => {
    const { client, venue, world } = floor();
    const login = venue.handlers["session.login"];
    venue.handlers["session.login"] = (request, link) => ({
      ...(login?.(request, link) as object),
      expireTime: new Date(world.wallMs() + 900_000).toISOString(),
    });
    await world.until(client.connection.connect());
    await world.pass(719_000);
    expect(venue.asked("session.login")).toHaveLength(1);
    await world.pass(2_000);
    expect(venue.asked("session.login")).toHaveLength(2);
    expect(venue.links).toHaveLength(1);
  });

  test("a token that is not taken any more is renewed once, and the call made again", async () => {
    const { client, venue, world } = floor();
    let refusals = 1;
    venue.handlers["orders.place"] = ({ params }) =>
      (refusals -= 1) >= 0
        ? new Failure(status(16, "TOKEN_EXPIRED"))
        : placed(params["clientOrderId"]);
    expect((await world.until(client.orders.place(LIMIT))).orderId).toBe("7");
    expect(venue.asked("session.login")).toHaveLength(2);
    refusals = 100;
    await expect(world.until(client.orders.place(LIMIT))).rejects.toMatchObject({
      reason: "TOKEN_EXPIRED",
    });
    expect(venue.asked("session.login")).toHaveLength(3);
  });
});

describe("frames", () => {
  test.each([
    ["no JSON", "{"],
    ["a refusal of a frame", '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no JSON"}}'],
  ])("%s ends the connection, which comes back or says why", async (_, text) => {
    const { client, venue, world } = floor();
    await world.until(client.connection.connect());
    const states: ConnectionState[] = [];
    client.connection.onState((state) => states.push(state));
    venue.link.text(text);
    await world.settle();
    expect(states[0]).toHaveProperty("error");
  });

  test("an answer that comes after its time-out is nobody's", async () => {
    const { client, venue, world } = floor({ retry: { attempts: 1 } });
    let id = 0;
    venue.handlers["orders.get"] = (request) => {
      id = request.id;
      return SILENCE;
    };
    await expect(world.until(client.orders.get("7"))).rejects.toMatchObject({ name: "TimedOut" });
    venue.link.answer(id, { result: placed("late") });
    venue.handlers["orders.get"] = () => placed("second");
    expect((await world.until(client.orders.get("7"))).clientOrderId).toBe("second");
  });

  test("who sends many can wait for room", async () => {
    const { client, venue, world } = floor({ connectionPolicy: { pendingMax: 4 } });
    const held: number[] = [];
    venue.handlers["orders.get"] = ({ id }) => {
      held.push(id);
      return SILENCE;
    };
    await world.until(client.connection.connect());
    await client.connection.drain();
    const calls = ["1", "2", "3", "4"].map((id) => client.orders.get(id));
    await world.settle();
    let hasRoom = false;
    const drained = client.connection.drain().then(() => {
      hasRoom = true;
    });
    const [first = 0, ...others] = held;
    venue.link.answer(first, { result: placed("a") });
    await world.settle();
    expect(hasRoom).toBe(false);
    for (const id of others) {
      venue.link.answer(id, { result: placed("a") });
    }
    await world.until(drained);
    expect(await world.until(Promise.all(calls))).toHaveLength(4);
  });

  test("more calls than the venue takes are refused here", async () => {
    const { client, venue, world } = floor({
      connectionPolicy: { pendingMax: 2 },
      retry: { attempts: 1 },
    });
    venue.handlers["orders.get"] = () => SILENCE;
    await world.until(client.connection.connect());
    const calls = ["1", "2", "3"].map((id) => client.orders.get(id));
    const results = await world.until(Promise.allSettled(calls));
    expect(results.map((each) => (each as { reason: Error }).reason.name)).toEqual([
      "TimedOut",
      "TimedOut",
      "TooManyPending",
    ]);
  });
});
