/** From the contract's messages to what the terminal works with. Decimals stay the text that they are. */
import {
  ExecutionType,
  InstrumentStatus,
  Liquidity,
  OrderStatus,
  OrderType,
  PostOnly,
  Reason,
  Side,
  TimeInForce,
  type Account as AccountMessage,
  type AccountSnapshot as SnapshotMessage,
  type Balance as BalanceMessage,
  type Candle as CandleMessage,
  type Execution as ExecutionMessage,
  type Instrument as InstrumentMessage,
  type Order as OrderMessage,
  type Position as PositionMessage,
  type Ticker as TickerMessage,
  type Trade as TradeMessage,
} from "tradewire-client";
import type {
  Account,
  Balance,
  Candle,
  Execution,
  Instrument,
  Order,
  Position,
  Ticker,
  Trade,
} from "../../domain/types.js";
import type { AccountSnapshot } from "../venue.js";

interface Timestamp {
  readonly seconds: bigint;
  readonly nanos: number;
}

const milliseconds = (time: Timestamp | undefined): number =>
  time === undefined ? 0 : Number(time.seconds) * 1000 + Math.floor(time.nanos / 1_000_000);

type Names<Enum> = Lowercase<Exclude<keyof Enum, "UNSPECIFIED"> & string>;

/** Returns the name of an enum's value in lower case, `other` for one that is not set or not known here. */
function nameOf<Enum extends Record<string, string | number>, Other>(
  values: Enum,
  value: number,
  other: Other,
): Names<Enum> | Other {
  const name = values[value];
  return typeof name === "string" && value !== 0 ? (name.toLowerCase() as Names<Enum>) : other;
}

const reasonOf = (reason: Reason): string => (reason === Reason.UNSPECIFIED ? "" : Reason[reason]);

export function instrumentOf(message: InstrumentMessage): Instrument {
  return { ...message, status: nameOf(InstrumentStatus, message.status, "halted") };
}

export function tradeOf(message: TradeMessage): Trade {
  const { tradeId, symbol, price, quantity, takerSide, time } = message;
  return { tradeId, symbol, price, quantity, takerSide: nameOf(Side, takerSide, "buy"), time: milliseconds(time) };
}

export function tickerOf(message: TickerMessage): Ticker {
  const { symbol, lastPrice, openPrice, highPrice, lowPrice, volume } = message;
  return { symbol, lastPrice, openPrice, highPrice, lowPrice, volume };
}

export function candleOf(message: CandleMessage): Candle {
  const { openTime, openPrice, highPrice, lowPrice, closePrice, volume } = message;
  return {
    openTime: milliseconds(openTime),
    open: openPrice,
    high: highPrice,
    low: lowPrice,
    close: closePrice,
    volume,
  };
}

export function orderOf(message: OrderMessage): Order {
  const { orderId, clientOrderId, symbol, quantity, quoteQuantity, price } = message;
  const { filledQuantity, leavesQuantity, averagePrice, fee, createTime } = message;
  return {
    orderId,
    clientOrderId,
    symbol,
    quantity,
    quoteQuantity,
    price,
    filledQuantity,
    leavesQuantity,
    averagePrice,
    fee,
    side: nameOf(Side, message.side, "buy"),
    type: nameOf(OrderType, message.type, "limit"),
    timeInForce: nameOf(TimeInForce, message.timeInForce, "gtc"),
    postOnly: nameOf(PostOnly, message.postOnly, "off"),
    status: nameOf(OrderStatus, message.status, "rejected"),
    reason: reasonOf(message.reason),
    createTime: milliseconds(createTime),
  };
}

export function executionOf(message: ExecutionMessage): Execution {
  const { sequence, executionId, order, transactTime, lastQuantity, lastPrice, lastFee } = message;
  if (order === undefined) throw new Error(`execution ${String(sequence)} has no order`);
  return {
    sequence,
    executionId,
    lastQuantity,
    lastPrice,
    lastFee,
    order: orderOf(order),
    type: nameOf(ExecutionType, message.type, "restated"),
    time: milliseconds(transactTime),
    liquidity: nameOf(Liquidity, message.liquidity, undefined),
    reason: reasonOf(message.reason),
  };
}

export function balanceOf({ asset, total, available, held }: BalanceMessage): Balance {
  return { asset, total, available, held };
}

export function positionOf(message: PositionMessage): Position {
  const { symbol, quantity, averageEntryPrice, realizedPnl, unrealizedPnl, fees } = message;
  return { symbol, quantity, averageEntryPrice, realizedPnl, unrealizedPnl, fees };
}

export function accountOf(message: AccountMessage): Account {
  const { account, makerFeeRate, takerFeeRate, openOrderLimit, tradingDisabled } = message;
  return { account, makerFeeRate, takerFeeRate, openOrderLimit, tradingDisabled };
}

export function snapshotOf(message: SnapshotMessage): AccountSnapshot {
  return {
    orders: message.orders.map(orderOf),
    balances: message.balances.map(balanceOf),
    positions: message.positions.map(positionOf),
    asOfSequence: message.asOfSequence,
  };
}
