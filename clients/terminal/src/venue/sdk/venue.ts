/** The venue behind the SDK: one WebSocket connection for calls and streams. */
import { Client, JournalChanged, OutOfRange, Scope, SequenceGap, SequenceRepeated, type ConnectionState } from "tradewire-client";
import { RULES, SessionService } from "tradewire-client/contract";
import type { Refusal } from "../../domain/refusal.js";
import type { ContractRules } from "../../domain/validation.js";
import type { Account, Amendment, Execution, NewOrder, Order } from "../../domain/types.js";
import type { Connection, ConnectionListener, Credential, ExecutionListener, MarketListener, Session, Stop, Venue } from "../venue.js";
import {
  accountOf,
  balanceOf,
  candleOf,
  executionOf,
  instrumentOf,
  orderOf,
  positionOf,
  snapshotOf,
  tickerOf,
  tradeOf,
} from "./convert.js";
import { credentialsOf } from "./credentials.js";
import { Gathered, nextFrame } from "./frames.js";
import { answered, refusalOf } from "./refusals.js";

/** Enough for a ladder that groups by a thousand ticks. */
const BOOK_DEPTH = 200;
const CANDLES = 500;
const TRADES = 60;
const PROBE_MS = 5_000;

const { price, quantity, quoteQuantity } = RULES["tradewire.v1.PlaceOrderRequest"];

export interface SdkOptions {
  readonly origin: string;
  /** Path of the WebSocket on the origin. */
  readonly webSocket: string;
  readonly environment: string;
}

export class SdkVenue implements Venue {
  readonly rules: ContractRules = {
    price: new RegExp(price.pattern),
    quantity: new RegExp(quantity.pattern),
    quoteQuantity: new RegExp(quoteQuantity.pattern),
  };
  #client: Client | undefined;
  #listener: ConnectionListener | undefined;
  #probe: ReturnType<typeof setInterval> | undefined;
  readonly #stops = new Set<Stop>();

  constructor(private readonly options: SdkOptions) {}

  async signIn(credential: Credential, listener: ConnectionListener): Promise<Session> {
    const { origin, webSocket, environment } = this.options;
    try {
      const client = new Client({
        url: origin,
        socketUrl: new URL(webSocket, origin.replace(/^http/, "ws")).href,
        credentials: await credentialsOf(credential),
        calls: "websocket",
        streams: "websocket",
        allowPlaintext: true,
      });
      this.#client = client;
      this.#listener = listener;
      client.connection.onState((state) => {
        listener.connection(connectionOf(state));
      });
      client.onRateLimit(({ limit, remaining }) => {
        listener.rateLimit({ limit, remaining });
      });
      client.onResume(({ stream, afterSequence }) => {
        if (stream === "marketData") listener.marketResumed();
        else if (stream === "executions" && afterSequence !== undefined) listener.resumed(afterSequence);
      });
      await client.connection.connect();
      this.#watchLatency(client, listener);
      const { account, scopes } = client.connection;
      return { account, canTrade: scopes.includes(Scope.TRADE), environment };
    } catch (error) {
      throw refusalOf(error);
    }
  }

  async signOut(): Promise<void> {
    clearInterval(this.#probe);
    for (const stop of this.#stops) stop();
    this.#stops.clear();
    await this.#client?.close();
    this.#client = undefined;
  }

  async instruments() {
    return (await answered(this.client.market.instruments().all())).map(instrumentOf);
  }

  async ticker(symbol: string) {
    return tickerOf(await answered(this.client.market.ticker(symbol)));
  }

  async trades(symbol: string) {
    return (await answered(this.client.market.trades(symbol, { pageSize: TRADES }))).map(tradeOf);
  }

  candles: Venue["candles"] = async (symbol, interval) =>
    (await answered(this.client.market.candles(symbol, interval, { pageSize: CANDLES }))).map(candleOf);

  followMarket(symbol: string, listener: MarketListener, failed: (error: Error) => void): Stop {
    const feed = this.client.market.follow([symbol], { depth: BOOK_DEPTH });
    return this.#follow(
      feed,
      async () => {
        for await (const { book, trades } of feed) {
          if (book !== undefined) listener.book(book);
          if (trades.length > 0) listener.trades(trades.map(tradeOf));
          await nextFrame();
        }
      },
      failed,
    );
  }

  followTrades: Venue["followTrades"] = (symbols, listener) => {
    const feed = this.client.market.follow(symbols, { withoutBook: true });
    return this.#follow(
      feed,
      async () => {
        for await (const { trades } of feed) {
          listener(trades.map(tradeOf));
          await nextFrame();
        }
      },
      // The figures stand still then; the market that is looked at says why.
      () => undefined,
    );
  };

  async account(): Promise<Account> {
    const { account } = await answered(this.client.account.get());
    if (account === undefined) throw refusalOf(new Error("the venue answered without an account"));
    return accountOf(account);
  }

  async balances() {
    return (await answered(this.client.account.balances())).balances.map(balanceOf);
  }

  async positions() {
    return (await answered(this.client.account.positions())).positions.map(positionOf);
  }

  async executions(afterSequence: bigint, pageSize: number) {
    return (await answered(this.client.executions.list({ afterSequence, pageSize }))).executions.map(executionOf);
  }

  followExecutions(listener: ExecutionListener, failed: (error: Error) => void): Stop {
    const { client } = this;
    let stream = client.executions.follow({ snapshot: true });
    const gathered = new Gathered<Execution>((executions) => {
      listener.executions(executions);
    });
    const read = async (): Promise<void> => {
      listener.snapshot(snapshotOf(await stream.snapshot()));
      for await (const execution of stream) gathered.add(executionOf(execution));
    };
    const again = async (): Promise<void> => {
      for (;;) {
        try {
          await read();
          return;
        } catch (error) {
          if (!startsAnew(error)) throw error;
          gathered.flush();
          stream.close();
          stream = client.executions.follow({ snapshot: true });
        }
      }
    };
    const close = (): void => {
      stream.close();
    };
    return this.#follow({ close }, again, (error) => {
      failed(error);
      // Market data needs no credential and may go on; the account does not.
      if (error.endsSession) void this.#end(error.text);
    });
  }

  async place(order: NewOrder): Promise<Order> {
    const { postOnly, expireTime, ...rest } = order;
    return orderOf(
      await answered(
        this.client.orders.place({
          ...rest,
          ...(postOnly === "off" ? {} : { postOnly }),
          ...(expireTime === undefined ? {} : { expireTime: new Date(expireTime) }),
        }),
      ),
    );
  }

  async amend({ orderId, ...changes }: Amendment): Promise<Order> {
    return orderOf(await answered(this.client.orders.amend(orderId, changes)));
  }

  async cancel(orderId: string): Promise<Order> {
    return orderOf(await answered(this.client.orders.cancel(orderId)));
  }

  async cancelAll(symbol?: string): Promise<number> {
    return (await answered(this.client.orders.cancelAll(symbol === undefined ? {} : { symbol }))).canceledCount;
  }

  private get client(): Client {
    if (this.#client === undefined) throw refusalOf(new Error("you are signed out"));
    return this.#client;
  }

  /** Ends the connection for good, because the credential is of no use any more. */
  async #end(text: string): Promise<void> {
    const listener = this.#listener;
    await this.signOut();
    listener?.connection({ phase: "ended", text });
  }

  /** Runs a reader until it is stopped; only what ends it for another reason is told. */
  #follow(source: { close: () => void }, read: () => Promise<void>, failed: (error: Refusal) => void): Stop {
    let stopped = false;
    const stop = (): void => {
      if (stopped) return;
      stopped = true;
      this.#stops.delete(stop);
      source.close();
    };
    this.#stops.add(stop);
    read().catch((error: unknown) => {
      if (!stopped) failed(refusalOf(error));
    });
    return stop;
  }

  #watchLatency(client: Client, listener: ConnectionListener): void {
    const measure = async (): Promise<void> => {
      if (client.connection.state.phase !== "live" || document.hidden) return;
      try {
        await client.call(SessionService.method.getServerTime, {});
      } catch {
        // The state of the connection says what is amiss.
      }
      const { roundTripMs } = client.connection;
      if (roundTripMs !== undefined) listener.latency(roundTripMs);
    };
    void measure();
    this.#probe = setInterval(() => void measure(), PROBE_MS);
  }
}

/** Says whether the numbers known so far are of no use any more: the account is taken anew then. */
function startsAnew(error: unknown): boolean {
  return (
    error instanceof JournalChanged ||
    error instanceof OutOfRange ||
    error instanceof SequenceGap ||
    error instanceof SequenceRepeated
  );
}

function connectionOf(state: ConnectionState): Connection {
  switch (state.phase) {
    case "idle":
    case "connecting":
      return { phase: "connecting" };
    case "live":
      return { phase: "live" };
    case "waiting":
      return { phase: "waiting", retryAt: state.retryAtMs, text: refusalOf(state.error).text };
    case "closed":
      return { phase: "ended", text: state.error === undefined ? "Signed out." : refusalOf(state.error).text };
  }
}
