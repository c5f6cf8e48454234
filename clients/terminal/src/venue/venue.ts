/**
 * What the terminal asks of a venue. The stores know only this; `sdk.ts` is the real one, `fixture/` one for
 * working on screens without a venue.
 */
import type { ContractRules } from "../domain/validation.js";
import type {
  Account,
  Amendment,
  Balance,
  Book,
  Candle,
  CandleInterval,
  Execution,
  Instrument,
  NewOrder,
  Order,
  Position,
  RateLimit,
  Ticker,
  Trade,
} from "../domain/types.js";

export type Credential =
  | { readonly kind: "key"; readonly apiKey: string; readonly secret: KeySecret }
  | { readonly kind: "demo" };

export type KeySecret =
  | { readonly algorithm: "ed25519"; readonly seed: Uint8Array<ArrayBuffer> }
  | { readonly algorithm: "hmac"; readonly secret: string };

export interface Session {
  readonly account: string;
  readonly canTrade: boolean;
  readonly environment: string;
}

export type Connection =
  | { readonly phase: "connecting" }
  | { readonly phase: "live" }
  | { readonly phase: "waiting"; readonly retryAt: number; readonly text: string }
  | { readonly phase: "ended"; readonly text: string };

/** What happens to the connection, told as it happens. */
export interface ConnectionListener {
  connection(state: Connection): void;
  /** The executions go on behind this number after an interruption. */
  resumed(afterSequence: bigint): void;
  /** Market data goes on; what happened meanwhile was not told. */
  marketResumed(): void;
  latency(milliseconds: number): void;
  rateLimit(limit: RateLimit): void;
}

export interface AccountSnapshot {
  readonly orders: readonly Order[];
  readonly balances: readonly Balance[];
  readonly positions: readonly Position[];
  readonly asOfSequence: bigint;
}

export interface ExecutionListener {
  /** The account as it is; what follows continues it. Comes again only when resuming was not possible. */
  snapshot(snapshot: AccountSnapshot): void;
  executions(executions: readonly Execution[]): void;
}

export interface MarketListener {
  book(book: Book): void;
  trades(trades: readonly Trade[]): void;
}

/** Ends what it stands for; a second call does nothing. */
export type Stop = () => void;

export interface Venue {
  readonly rules: ContractRules;
  signIn(credential: Credential, listener: ConnectionListener): Promise<Session>;
  signOut(): Promise<void>;

  instruments(): Promise<readonly Instrument[]>;
  ticker(symbol: string): Promise<Ticker>;
  /** The newest public trades, oldest first. */
  trades(symbol: string): Promise<readonly Trade[]>;
  /** The newest candles, oldest first. */
  candles(symbol: string, interval: CandleInterval): Promise<readonly Candle[]>;
  /** Follows book and trades of one instrument. */
  followMarket(symbol: string, listener: MarketListener, failed: (error: Error) => void): Stop;
  /** Follows the trades of all instruments. */
  followTrades(symbols: readonly string[], listener: (trades: readonly Trade[]) => void): Stop;

  account(): Promise<Account>;
  balances(): Promise<readonly Balance[]>;
  positions(): Promise<readonly Position[]>;
  /** Executions after a number, oldest first. */
  executions(afterSequence: bigint, pageSize: number): Promise<readonly Execution[]>;
  followExecutions(listener: ExecutionListener, failed: (error: Error) => void): Stop;

  place(order: NewOrder): Promise<Order>;
  amend(amendment: Amendment): Promise<Order>;
  cancel(orderId: string): Promise<Order>;
  /** Returns how many were canceled. */
  cancelAll(symbol?: string): Promise<number>;
}
