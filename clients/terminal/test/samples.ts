import type { Instrument, Order } from "../src/domain/types.js";
import type { Conditions, Draft } from "../src/domain/validation.js";

/** Returns a working limit order with what is given in place of the usual. */
export function order(given: Partial<Order> = {}): Order {
  return {
    orderId: "1",
    clientOrderId: "one",
    symbol: "BTC-USD",
    side: "buy",
    type: "limit",
    timeInForce: "gtc",
    quantity: "1",
    price: "100",
    postOnly: "off",
    status: "new",
    reason: "",
    filledQuantity: "0",
    leavesQuantity: "1",
    averagePrice: "0",
    fee: "0",
    createTime: 0,
    ...given,
  };
}

export const BTC_USD: Instrument = {
  symbol: "BTC-USD",
  baseAsset: "BTC",
  quoteAsset: "USD",
  tickSize: "0.01",
  lotSize: "0.0001",
  minimumQuantity: "0.001",
  maximumQuantity: "1000",
  minimumNotional: "1",
  maximumNotional: "10000000",
  priceBandPercent: "10",
  marketProtectionPercent: "5",
  status: "trading",
};

const DECIMAL = /^[0-9]{1,18}([.][0-9]{1,18})?$/;
export const RULES = { price: DECIMAL, quantity: DECIMAL, quoteQuantity: DECIMAL };

export function draft(given: Partial<Draft> = {}): Draft {
  return {
    side: "buy",
    type: "limit",
    timeInForce: "gtc",
    postOnly: "off",
    price: "60000",
    quantity: "0.01",
    byAmount: false,
    expireTime: Number.NaN,
    ...given,
  };
}

export function conditions(given: Partial<Conditions> = {}): Conditions {
  return {
    rules: RULES,
    instrument: BTC_USD,
    rates: { makerFeeRate: "0.001", takerFeeRate: "0.002" },
    lastPrice: "60000",
    availableBase: "2",
    availableQuote: "10000",
    marketNotional: undefined,
    now: 1_000,
    ...given,
  };
}
