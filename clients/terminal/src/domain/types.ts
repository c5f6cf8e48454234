/** What the terminal trades with: the contract's messages in the words of a screen. Money is decimal text. */
import type { Decimal } from "../money/decimal.js";

export type Side = "buy" | "sell";
export type OrderType = "limit" | "market";
export type TimeInForce = "gtc" | "day" | "ioc" | "fok" | "gtd";
export type PostOnly = "off" | "reject" | "reprice";
export type OrderStatus = "new" | "partially_filled" | "filled" | "canceled" | "expired" | "rejected";
export type ExecutionType = "new" | "trade" | "canceled" | "replaced" | "rejected" | "expired" | "restated";
export type Liquidity = "maker" | "taker";
export type InstrumentStatus = "trading" | "halted" | "cancel_only" | "post_only";
export type CandleInterval = "1m" | "5m" | "15m" | "1h" | "4h" | "1d";

export const WORKING: ReadonlySet<OrderStatus> = new Set(["new", "partially_filled"]);

export interface Instrument {
  readonly symbol: string;
  readonly baseAsset: string;
  readonly quoteAsset: string;
  readonly tickSize: Decimal;
  readonly lotSize: Decimal;
  readonly minimumQuantity: Decimal;
  readonly maximumQuantity: Decimal;
  readonly minimumNotional: Decimal;
  readonly maximumNotional: Decimal;
  /** In percent; 0 means no band. */
  readonly priceBandPercent: Decimal;
  readonly marketProtectionPercent: Decimal;
  readonly status: InstrumentStatus;
}

export interface Level {
  readonly price: Decimal;
  readonly quantity: Decimal;
}

/** The best levels of a book, best first. */
export interface Book {
  readonly symbol: string;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
}

export interface Trade {
  readonly tradeId: bigint;
  readonly symbol: string;
  readonly price: Decimal;
  readonly quantity: Decimal;
  readonly takerSide: Side;
  /** Milliseconds since the epoch, as every time here. */
  readonly time: number;
}

export interface Ticker {
  readonly symbol: string;
  readonly lastPrice?: Decimal | undefined;
  readonly openPrice?: Decimal | undefined;
  readonly highPrice?: Decimal | undefined;
  readonly lowPrice?: Decimal | undefined;
  readonly volume: Decimal;
}

export interface Candle {
  readonly openTime: number;
  readonly open: Decimal;
  readonly high: Decimal;
  readonly low: Decimal;
  readonly close: Decimal;
  readonly volume: Decimal;
}

export interface Order {
  readonly orderId: string;
  readonly clientOrderId: string;
  readonly symbol: string;
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  readonly quantity?: Decimal | undefined;
  readonly quoteQuantity?: Decimal | undefined;
  readonly price?: Decimal | undefined;
  readonly postOnly: PostOnly;
  readonly status: OrderStatus;
  /** Name of the catalogue without REASON_, empty when nothing unusual happened. */
  readonly reason: string;
  readonly filledQuantity: Decimal;
  readonly leavesQuantity: Decimal;
  readonly averagePrice: Decimal;
  readonly fee: Decimal;
  readonly createTime: number;
}

export interface Execution {
  readonly sequence: bigint;
  readonly executionId: string;
  readonly type: ExecutionType;
  readonly order: Order;
  readonly time: number;
  readonly lastQuantity?: Decimal | undefined;
  readonly lastPrice?: Decimal | undefined;
  readonly lastFee?: Decimal | undefined;
  readonly liquidity?: Liquidity | undefined;
  readonly reason: string;
}

export interface Balance {
  readonly asset: string;
  readonly total: Decimal;
  readonly available: Decimal;
  readonly held: Decimal;
}

export interface Position {
  readonly symbol: string;
  readonly quantity: Decimal;
  readonly averageEntryPrice: Decimal;
  readonly realizedPnl: Decimal;
  readonly unrealizedPnl: Decimal;
  readonly fees: Decimal;
}

export interface Account {
  readonly account: string;
  readonly makerFeeRate: Decimal;
  readonly takerFeeRate: Decimal;
  readonly openOrderLimit: number;
  readonly tradingDisabled: boolean;
}

export interface RateLimit {
  readonly limit: number;
  readonly remaining: number;
}

/** What a ticket sends. */
export interface NewOrder {
  readonly symbol: string;
  readonly side: Side;
  readonly type: OrderType;
  readonly timeInForce: TimeInForce;
  readonly quantity?: Decimal | undefined;
  readonly quoteQuantity?: Decimal | undefined;
  readonly price?: Decimal | undefined;
  readonly postOnly: PostOnly;
  /** Of a GTD order, milliseconds since the epoch. */
  readonly expireTime?: number | undefined;
}

export interface Amendment {
  readonly orderId: string;
  readonly quantity?: Decimal | undefined;
  readonly price?: Decimal | undefined;
}
