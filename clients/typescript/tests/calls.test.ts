/** Calls over gRPC-web, to services in this process: sign-in, repeats, and what is sent. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { beforeEach, describe, expect, test } from "vitest";

import {
  type CommandResultSchema,
  type CreateSessionRequest,
  KeyService,
  OrderService,
  type PlaceOrderRequest,
  SessionService,
} from "../src/contract.js";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.js";
import { Client, type ClientOptions, type Credentials, type NewOrder } from "../src/index.js";
import { LIMIT } from "./clients.js";
import { FakeWorld } from "./fake_world.js";

const KEY: Credentials = { apiKey: "key", sign: () => Promise.resolve(new Uint8Array(32)) };

function failure(code: Code, reason: string, outcome = "refused", more = {}): ConnectError {
  const metadata = { outcome, ...more };
  const info = { desc: ErrorInfoSchema, value: { reason, domain: "tradewire", metadata } };
  return new ConnectError(`${reason}: text`, code, undefined, [info]);
}

const LOST = new ConnectError("reset", Code.Unavailable);

let world: FakeWorld;
let logins: CreateSessionRequest[];
let times: number;
let placings: PlaceOrderRequest[];
let tokens: (string | null)[];
/** What PlaceOrder answers in turn; then it places. */
let answers: (ConnectError | undefined)[];
let life: number;

beforeEach(() => {
  world = new FakeWorld();
  [logins, placings, tokens, answers] = [[], [], [], []];
  [times, life] = [0, 900_000];
});

function client(options: Partial<ClientOptions> = {}): Client {
  const transport = createRouterTransport(({ service }) => {
    service(SessionService, {
      getServerTime: () => {
        times += 1;
        return { timeMs: BigInt(1_760_000_000_000 + world.monotonicMs()), environment: "sandbox" };
      },
      createSession: (request) => {
        logins.push(request);
        return {
          token: `token-${String(logins.length)}`,
          expireTime: timestampFromMs(1_760_000_000_000 + world.monotonicMs() + life),
          account: "alice",
        };
      },
      createTicket: () => ({ ticket: "ticket" }),
    });
    service(OrderService, {
      placeOrder: (request, context: HandlerContext) => {
        placings.push(request);
        tokens.push(context.requestHeader.get("authorization"));
        context.responseHeader.set("ratelimit-limit", "100");
        context.responseHeader.set("ratelimit-remaining", "99");
        context.responseHeader.set("ratelimit-reset", "2");
        const error = answers.shift();
        if (error !== undefined) {
          throw error;
        }
        return { order: { orderId: "7", clientOrderId: request.clientOrderId }, asOfSequence: 1n };
      },
      placeOrders: (request) => {
        const error = answers.shift();
        if (error !== undefined) {
          throw error;
        }
        return { results: request.orders.map((order, place) => resultOf(order, place)) };
      },
    });
    service(KeyService, {
      createKey: () => {
        const error = answers.shift();
        if (error !== undefined) {
          throw error;
        }
        return { secret: "tws_x" };
      },
    });
  });
  return new Client({ url: "http://127.0.0.1:1", credentials: KEY, transport, world, ...options });
}

function resultOf(
  order: PlaceOrderRequest,
  place: number,
): MessageInitShape<typeof CommandResultSchema> {
  if (order.price !== "0.001") {
    return { commandNumber: BigInt(place + 1), outcome: { case: "order", value: { orderId: "7" } } };
  }
  const status = create(StatusSchema, { code: 3, message: "PRICE_OFF_TICK" });
  return { commandNumber: BigInt(place + 1), outcome: { case: "error", value: status } };
}

describe("signing in", () => {
  test("happens once for all who wait, and the token is used again", async () => {
    const venue = client();
    await world.until(Promise.all([1, 2, 3].map(() => venue.orders.place(LIMIT))));
    await world.until(venue.orders.place(LIMIT));
    expect(tokens).toEqual(Array.from({ length: 4 }, () => "Bearer token-1"));
    expect([logins.length, times]).toEqual([1, 1]);
    expect([venue.session.account, venue.session.environment]).toEqual(["alice", "sandbox"]);
    expect(venue.rateLimit).toEqual({ limit: 100, remaining: 99, resetMs: 2000 });
  });

  test("is renewed beside a call in the last part of a token's life", async () => {
    const venue = client();
    await world.until(venue.orders.place(LIMIT));
    await world.pass(800_000);
    await world.until(venue.orders.place(LIMIT));
    await world.settle();
    await world.until(venue.orders.place(LIMIT));
    expect(tokens).toEqual(["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
    await world.pass(2_000_000);
    await world.until(venue.orders.place(LIMIT));
    expect(tokens.at(-1)).toBe("Bearer token-3");
  });

  test("again when the venue does not take the token, once per call", async () => {
    const venue = client();
    answers = [failure(Code.Unauthenticated, "TOKEN_INVALID")];
    await world.until(venue.orders.place(LIMIT));
    expect(tokens).toEqual(["Bearer token-1", "Bearer token-2"]);
    answers = [1, 2, 3].map(() => failure(Code.Unauthenticated, "TOKEN_INVALID"));
    await expect(world.until(venue.orders.place(LIMIT))).rejects.toMatchObject({
      reason: "TOKEN_INVALID",
    });
    expect(answers).toHaveLength(1);
  });

  test("with a wrong clock signs by the venue's", async () => {
    world.aheadMs = -3_600_000;
    const venue = client();
    await world.until(venue.session.signIn());
    expect(venue.session.clockOffsetMs).toBe(3_600_000);
    expect(logins[0]?.proof.value).toMatchObject({ timestampMs: 1_760_000_000_000n });
    await world.pass(600_000);
    await world.until(venue.orders.place(LIMIT));
    expect(logins).toHaveLength(1);
  });

  test("for another environment than was asked for is refused here", async () => {
    const venue = client({ environment: "production" });
    await expect(world.until(venue.session.signIn())).rejects.toMatchObject({
      name: "ConfigurationError",
    });
    expect(logins).toEqual([]);
  });

  test("with a ticket takes a new one each time", async () => {
    let made = 0;
    life = 10_000;
    const venue = client({
      credentials: { ticket: () => Promise.resolve(`t${String((made += 1))}`) },
    });
    await world.until(venue.orders.place(LIMIT));
    await world.pass(20_000);
    await world.until(venue.orders.place(LIMIT));
    expect(logins.map((login) => login.proof)).toEqual([
      { case: "ticket", value: "t1" },
      { case: "ticket", value: "t2" },
    ]);
  });

  test("is not needed with a token of one's own, which is never replaced", async () => {
    const venue = client({ credentials: { token: "mine" } });
    answers = [undefined, failure(Code.Unauthenticated, "TOKEN_EXPIRED")];
    await world.until(venue.orders.place(LIMIT));
    await expect(world.until(venue.orders.place(LIMIT))).rejects.toMatchObject({
      reason: "TOKEN_EXPIRED",
    });
    expect(tokens).toEqual(["Bearer mine", "Bearer mine"]);
    expect(logins).toEqual([]);
  });
});

describe("an order", () => {
  test("whose answer was lost is sent again as it was", async () => {
    const venue = client();
    answers = [LOST, failure(Code.Unavailable, "NOT_SERVING", "refused", { retryable: "true" })];
    const order = await world.until(venue.orders.place(LIMIT));
    expect(order.orderId).toBe("7");
    expect(placings).toHaveLength(3);
    expect(new Set(placings.map((placing) => JSON.stringify(placing))).size).toBe(1);
    expect(order.clientOrderId).toBe(placings[0]?.clientOrderId);
  });

  test("that nobody answers has an unknown outcome, after a bounded number of attempts", async () => {
    const venue = client();
    answers = Array.from({ length: 20 }, () => LOST);
    await expect(
      world.until(venue.orders.place({ ...LIMIT, clientOrderId: "mine" })),
    ).rejects.toMatchObject({ name: "UnknownOutcome", clientOrderId: "mine", attempts: 6 });
    expect(placings).toHaveLength(6);
  });

  test("whose repeat meets a limit has an unknown outcome; one that meets the engine has not", async () => {
    const venue = client({ retry: { attempts: 2 } });
    answers = [LOST, failure(Code.ResourceExhausted, "RATE_LIMITED")];
    await expect(world.until(venue.orders.place(LIMIT))).rejects.toMatchObject({
      name: "UnknownOutcome",
      cause: { reason: "RATE_LIMITED" },
    });
    answers = [LOST, failure(Code.FailedPrecondition, "INSUFFICIENT_FUNDS", "rejected")];
    await expect(world.until(venue.orders.place(LIMIT))).rejects.toMatchObject({ name: "Rejected" });
  });

  test("that is refused or rejected is not repeated", async () => {
    const venue = client();
    answers = [failure(Code.InvalidArgument, "PRICE_OFF_TICK")];
    await expect(world.until(venue.orders.place(LIMIT))).rejects.toMatchObject({
      name: "InvalidRequest",
    });
    answers = [failure(Code.FailedPrecondition, "INSUFFICIENT_FUNDS", "rejected")];
    await expect(world.until(venue.orders.place(LIMIT))).rejects.toMatchObject({ name: "Rejected" });
    expect(placings).toHaveLength(2);
  });

  test("that meets a rate limit waits as long as the venue says", async () => {
    const venue = client();
    await world.until(venue.session.signIn());
    const more = { retryable: "true", retry_after_ms: "3000" };
    answers = [failure(Code.ResourceExhausted, "RATE_LIMITED", "refused", more)];
    const begun = world.monotonicMs();
    await world.until(venue.orders.place(LIMIT));
    expect(world.monotonicMs() - begun).toBeGreaterThanOrEqual(3_000);
    answers = [failure(Code.ResourceExhausted, "RATE_LIMITED", "refused", { ...more, retry_after_ms: "60000" })];
    await expect(world.until(venue.orders.place(LIMIT))).rejects.toMatchObject({
      name: "RateLimited",
      retryAfterMs: 60_000,
    });
  });

  test("given up before it was sent was not sent", async () => {
    const venue = client();
    await expect(
      venue.orders.place(LIMIT, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: "ClientClosed" });
    expect(placings).toEqual([]);
  });

  test("given up by its signal may have happened", async () => {
    const venue = client();
    const giveUp = new AbortController();
    answers = Array.from({ length: 20 }, () => LOST);
    const order = venue.orders.place(LIMIT, { signal: giveUp.signal });
    await world.settle();
    giveUp.abort();
    await expect(world.until(order)).rejects.toMatchObject({ name: "UnknownOutcome", attempts: 1 });
  });

  test.each([
    ["a price as a number", { price: 100.1 }, "price"],
    ["a quantity as a number", { quantity: 1 }, "quantity"],
    ["a price that is none", { price: "1e5" }, "price"],
    ["no such side", { side: "long" }, "buy, sell"],
    ["a value of no enum", { side: 9 }, "side"],
  ])("with %s is refused before anything is sent", async (_, wrong, text) => {
    const venue = client();
    const order = { ...LIMIT, ...wrong } as unknown as NewOrder;
    await expect(venue.orders.place(order)).rejects.toThrow(TypeError);
    await expect(venue.orders.place(order)).rejects.toThrow(text);
    expect(placings).toEqual([]);
  });

  test("cannot be written with a number for a price", () => {
    // @ts-expect-error -- a number is no price: the compiler says so
    const order: NewOrder = { ...LIMIT, price: 100.1 };
    expect(order).toBeDefined();
  });
});

describe("several orders", () => {
  test("have a result each, and an error of one is not thrown", async () => {
    const venue = client();
    const [first, second] = await world.until(
      venue.orders.placeMany([LIMIT, { ...LIMIT, price: "0.001", clientOrderId: "bad" }]),
    );
    expect(first?.order?.orderId).toBe("7");
    expect(second).toMatchObject({ clientOrderId: "bad", error: { code: "INVALID_ARGUMENT" } });
    expect(await venue.orders.placeMany([])).toEqual([]);
    await expect(venue.orders.placeMany(Array.from({ length: 101 }, () => LIMIT))).rejects.toThrow("100");
  });

  test("that nobody answered have an unknown outcome each, with their ids", async () => {
    const venue = client();
    answers = Array.from({ length: 20 }, () => LOST);
    const results = await world.until(
      venue.orders.placeMany([{ ...LIMIT, clientOrderId: "a" }, { ...LIMIT, clientOrderId: "b" }]),
    );
    expect(results.map((result) => result.error)).toMatchObject([
      { name: "UnknownOutcome", clientOrderId: "a" },
      { name: "UnknownOutcome", clientOrderId: "b" },
    ]);
  });
});

test("a key is made once, whatever happens to the answer", async () => {
  const venue = client();
  answers = [LOST];
  await expect(world.until(venue.keys.create({ label: "x" }))).rejects.toMatchObject({
    name: "UnknownOutcome",
  });
  expect((await world.until(venue.keys.create({ label: "x" }))).secret).toBe("tws_x");
});

test.each([
  ["http://venue.example", "https"],
  ["ftp://127.0.0.1", "https://"],
  ["venue", "URL"],
])("%s is no place to send a key to", (url, text) => {
  expect(() => new Client({ url })).toThrow(text);
});

test("a method that will end is told once", async () => {
  const told: string[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(SessionService, {
      getServerTime: (_, context) => {
        context.responseHeader.set("deprecation", "@1");
        context.responseHeader.set("sunset", "2027-08-01");
        return { timeMs: 1n };
      },
    });
  });
  const venue = client({ transport, onWarning: (text) => told.push(text) });
  await world.until(venue.session.serverTime());
  await world.until(venue.session.serverTime());
  expect(told).toEqual(["tradewire-client: GetServerTime is deprecated and ends on 2027-08-01"]);
});
