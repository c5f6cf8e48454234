/**
 * Orders: placed, amended, canceled and found.
 *
 * Every command carries a client order id, given or made. After a lost connection or a time-out it is
 * sent again with the same id, and the venue answers a repeat as it answered the first. So repeating
 * is asking, not doing twice. `cancelAll` has no id: a repeat cancels what works by then.
 */

import type { MessageInitShape } from "@bufbuild/protobuf";

import { CALL_OPTIONS, type Caller, type CallOptions, checkCallOptions } from "./caller.js";
import type { DecimalInput } from "./decimal.js";
import {
  ConfigurationError,
  ProtocolViolation,
  settles,
  type TradewireError,
  UnknownOutcome,
} from "./errors.js";
import { checkFields, type FieldsOf } from "./fields.js";
import {
  type Order,
  OrderType,
  PostOnly,
  SelfTradePrevention,
  Side,
  TimeInForce,
} from "./gen/tradewire/v1/order_pb.js";
import {
  type AmendOrderRequestSchema,
  type CancelAllOrdersResponse,
  type CancelOrderRequestSchema,
  type CommandResult,
  OrderFilter,
  OrderService,
  type PlaceOrderRequestSchema,
} from "./gen/tradewire/v1/order_service_pb.js";
import { decimals, type EnumInput, enumValue, type TimeInput, times } from "./inputs.js";
import { Pages } from "./pages.js";
import { unknownOutcome } from "./retry.js";
import { errorOfStatus } from "./status.js";
import { type OrderTarget, targetOf, targetToChange } from "./targets.js";
import type { World } from "./world.js";

/** A new order. */
export interface NewOrder {
  readonly symbol: string;
  readonly side: EnumInput<typeof Side>;
  readonly type: EnumInput<typeof OrderType>;
  /** In units of base; a market order can have `quoteQuantity` in its place. */
  readonly quantity?: DecimalInput | undefined;
  readonly price?: DecimalInput | undefined;
  /** Of a market order: greatest notional in units of quote, fees not included. */
  readonly quoteQuantity?: DecimalInput | undefined;
  readonly timeInForce?: EnumInput<typeof TimeInForce> | undefined;
  readonly expireTime?: TimeInput | undefined;
  readonly postOnly?: EnumInput<typeof PostOnly> | undefined;
  readonly selfTradePrevention?: EnumInput<typeof SelfTradePrevention> | undefined;
  /** One is made unless given. */
  readonly clientOrderId?: string | undefined;
  readonly account?: string | undefined;
  /** The order is refused when it has not reached the engine by then. */
  readonly validUntil?: TimeInput | undefined;
}

/** What an amend changes. */
export interface Amendment {
  /** Of the whole order, what is filled included. */
  readonly quantity?: DecimalInput | undefined;
  readonly price?: DecimalInput | undefined;
  /** The amend's own; one is made unless given. */
  readonly clientOrderId?: string | undefined;
  readonly account?: string | undefined;
  readonly validUntil?: TimeInput | undefined;
}

/** How an order is canceled. */
export interface Cancellation {
  /** The cancel's own; one is made unless given. */
  readonly clientOrderId?: string | undefined;
  readonly account?: string | undefined;
  readonly validUntil?: TimeInput | undefined;
}

/** Which orders are canceled: all, or those of an instrument or side. */
export interface MassCancellation {
  readonly symbol?: string | undefined;
  readonly side?: EnumInput<typeof Side> | undefined;
  readonly account?: string | undefined;
  readonly validUntil?: TimeInput | undefined;
}

/** Whose orders are meant; empty means the credential's own account. */
export interface OrdersOptions extends CallOptions {
  readonly account?: string | undefined;
}

/** Which orders are listed. */
export interface OrderListOptions extends OrdersOptions {
  readonly symbol?: string | undefined;
  readonly pageSize?: number | undefined;
}

const CANCELLATION: FieldsOf<Cancellation> = {
  clientOrderId: true,
  account: true,
  validUntil: true,
};
const AMENDMENT: FieldsOf<Amendment> = { quantity: true, price: true, ...CANCELLATION };
const MASS_CANCELLATION: FieldsOf<MassCancellation> = {
  symbol: true,
  side: true,
  account: true,
  validUntil: true,
};
const NEW_ORDER: FieldsOf<NewOrder> = {
  symbol: true,
  side: true,
  type: true,
  quantity: true,
  price: true,
  quoteQuantity: true,
  timeInForce: true,
  expireTime: true,
  postOnly: true,
  selfTradePrevention: true,
  clientOrderId: true,
  account: true,
  validUntil: true,
};
const ORDERS_OPTIONS: FieldsOf<OrdersOptions> = { ...CALL_OPTIONS, account: true };
const LIST_OPTIONS: FieldsOf<OrderListOptions> = {
  ...ORDERS_OPTIONS,
  symbol: true,
  pageSize: true,
};

/** An order as an answer gave it, and up to where the answer is true. */
export type OrderAnswer = Order & {
  /** The account's execution sequence up to which it is true. */
  readonly asOfSequence: bigint;
  /** Of an amend: whether the order kept its place in the queue. */
  readonly priorityKept: boolean;
  /** Of a read: identity of the journal. */
  readonly journalId: string;
};

/** What became of one command of a batch: `order` or `error`, which is not thrown. */
export interface OrderResult {
  /** The command's own, given or made. */
  readonly clientOrderId: string;
  readonly order?: OrderAnswer;
  readonly error?: TradewireError;
}

const BATCH_MAX = 100;

export class Orders {
  /** @internal */
  constructor(
    private readonly caller: Caller,
    private readonly world: World,
  ) {}

  /**
   * Place an order, exactly once.
   *
   * @throws TypeError if an argument cannot be right, e.g. a number for a price; nothing was sent.
   * @throws Refused if nothing happened, and the id is free.
   * @throws Rejected if an execution says so, and the id is taken.
   * @throws UnknownOutcome if it may have happened and nobody could say.
   */
  async place(order: NewOrder, options: CallOptions = {}): Promise<OrderAnswer> {
    checkCallOptions(options);
    const request = this.placing(order);
    const about = { ...options, effect: "repeatable", clientOrderId: request.clientOrderId } as const;
    const response = await this.caller.call(OrderService.method.placeOrder, request, about);
    return answer(response.order, response);
  }

  /**
   * Change price, quantity or both of a working order. It keeps its place in the queue when only the
   * quantity goes down. Throws as `place` does.
   */
  async amend(
    target: OrderTarget,
    amendment: Amendment,
    options: CallOptions = {},
  ): Promise<OrderAnswer> {
    checkFields(amendment, AMENDMENT, "amendment");
    checkCallOptions(options);
    const { quantity, price, validUntil, account = "" } = amendment;
    const clientOrderId = amendment.clientOrderId ?? this.world.clientOrderId();
    const request: MessageInitShape<typeof AmendOrderRequestSchema> = {
      clientOrderId,
      target: targetToChange(target),
      account,
      ...decimals({ quantity, price }),
      ...times({ validUntil }),
    };
    const about = { ...options, effect: "repeatable", clientOrderId } as const;
    const response = await this.caller.call(OrderService.method.amendOrder, request, about);
    return answer(response.order, response);
  }

  /** Cancel a working order. Throws as `place` does. */
  async cancel(
    target: OrderTarget,
    cancellation: Cancellation = {},
    options: CallOptions = {},
  ): Promise<OrderAnswer> {
    checkCallOptions(options);
    const request = this.canceling(target, cancellation);
    const about = { ...options, effect: "repeatable", clientOrderId: request.clientOrderId } as const;
    const response = await this.caller.call(OrderService.method.cancelOrder, request, about);
    return answer(response.order, response);
  }

  /**
   * Cancel all working orders, or those of an instrument or side. A repeat after a lost answer
   * cancels what works by then, and counts only that.
   */
  async cancelAll(
    which: MassCancellation = {},
    options: CallOptions = {},
  ): Promise<CancelAllOrdersResponse> {
    checkFields(which, MASS_CANCELLATION, "which");
    checkCallOptions(options);
    const { symbol = "", account = "", validUntil } = which;
    const side = enumValue(Side, which.side, "side");
    const request = { symbol, side, account, ...times({ validUntil }) };
    const about = { ...options, effect: "repeatable" } as const;
    return this.caller.call(OrderService.method.cancelAllOrders, request, about);
  }

  /**
   * Place up to 100 orders with one call; what became of each, in their order. Each is placed,
   * rejected or refused by itself. The call throws only when nothing of it was done.
   */
  async placeMany(
    orders: Iterable<NewOrder>,
    options: OrdersOptions = {},
  ): Promise<OrderResult[]> {
    checkCallOptions(options, ORDERS_OPTIONS);
    const requests = Array.from(orders, (order) => this.placing(order));
    const ids = requests.map((request) => request.clientOrderId);
    const { account = "" } = options;
    return this.batch(ids, () =>
      this.caller.ask(OrderService.method.placeOrders, { orders: requests, account }, {
        ...options,
        effect: "repeatable",
      }),
    );
  }

  /** Cancel up to 100 orders with one call, as `placeMany` places them. */
  async cancelMany(
    targets: Iterable<OrderTarget>,
    options: OrdersOptions = {},
  ): Promise<OrderResult[]> {
    checkCallOptions(options, ORDERS_OPTIONS);
    const cancels = Array.from(targets, (target) => this.canceling(target, {}));
    const ids = cancels.map((request) => request.clientOrderId);
    const { account = "" } = options;
    return this.batch(ids, () =>
      this.caller.ask(OrderService.method.cancelOrders, { cancels, account }, {
        ...options,
        effect: "repeatable",
      }),
    );
  }

  /**
   * An order, working or closed, by the venue's id or by any client order id of its chain.
   *
   * @throws NotFound if there is none: a command with this client order id never had an effect.
   */
  async get(
    target: OrderTarget,
    options: OrdersOptions = {},
  ): Promise<OrderAnswer> {
    checkCallOptions(options, ORDERS_OPTIONS);
    const response = await this.caller.call(
      OrderService.method.getOrder,
      {
        account: options.account ?? "",
        target: targetOf(target),
      },
      options,
    );
    return answer(response.order, response);
  }

  /** The account's orders, by ascending order id: working ones, or closed ones. */
  list(
    filter: EnumInput<typeof OrderFilter> = "open",
    options: OrderListOptions = {},
  ): Pages<Order> {
    checkCallOptions(options, LIST_OPTIONS);
    const { symbol = "", account = "", pageSize = 0 } = options;
    const which = { filter: enumValue(OrderFilter, filter, "filter"), symbol, account, pageSize };
    return new Pages(async (pageToken) => {
      const { listOrders } = OrderService.method;
      const page = await this.caller.call(listOrders, { ...which, pageToken }, options);
      return { items: page.orders, next: page.nextPageToken };
    });
  }

  private placing(
    order: NewOrder,
  ): MessageInitShape<typeof PlaceOrderRequestSchema> & { clientOrderId: string } {
    checkFields(order, NEW_ORDER, "order");
    const { quantity, quoteQuantity, price, expireTime, validUntil } = order;
    return {
      clientOrderId: order.clientOrderId ?? this.world.clientOrderId(),
      symbol: order.symbol,
      side: enumValue(Side, order.side, "side"),
      type: enumValue(OrderType, order.type, "type"),
      timeInForce: enumValue(TimeInForce, order.timeInForce, "timeInForce"),
      postOnly: enumValue(PostOnly, order.postOnly, "postOnly"),
      selfTradePrevention: enumValue(
        SelfTradePrevention,
        order.selfTradePrevention,
        "selfTradePrevention",
      ),
      account: order.account ?? "",
      ...decimals({ quantity, quoteQuantity, price }),
      ...times({ expireTime, validUntil }),
    };
  }

  private canceling(
    target: OrderTarget,
    cancellation: Cancellation,
  ): MessageInitShape<typeof CancelOrderRequestSchema> & { clientOrderId: string } {
    checkFields(cancellation, CANCELLATION, "cancellation");
    const { account = "", validUntil } = cancellation;
    return {
      target: targetToChange(target),
      clientOrderId: cancellation.clientOrderId ?? this.world.clientOrderId(),
      account,
      ...times({ validUntil }),
    };
  }

  private async batch(
    ids: readonly string[],
    ask: () => Promise<{
      readonly result: { readonly results: CommandResult[] };
      readonly earlierAttempts: number;
    }>,
  ): Promise<OrderResult[]> {
    if (ids.length > BATCH_MAX) {
      throw new ConfigurationError(
        `a call takes ${String(BATCH_MAX)} commands, not ${String(ids.length)}`,
      );
    }
    if (ids.length === 0) {
      return [];
    }
    try {
      const { result, earlierAttempts } = await ask();
      return readResults(ids, result.results, earlierAttempts);
    } catch (error) {
      if (!(error instanceof UnknownOutcome)) {
        throw error;
      }
      return ids.map((clientOrderId) => ({
        clientOrderId,
        error: unknownOutcome(
          { name: "The command", effect: "repeatable", clientOrderId },
          error.attempts,
          error,
        ),
      }));
    }
  }
}

function readResults(
  ids: readonly string[],
  results: readonly CommandResult[],
  earlierAttempts: number,
): OrderResult[] {
  if (results.length !== ids.length) {
    throw new ProtocolViolation(
      `${String(ids.length)} commands were answered with ${String(results.length)} results`,
    );
  }
  return results.map((result, place) => {
    const clientOrderId = ids[place] ?? "";
    const { outcome } = result;
    if (outcome.case === "order") {
      return { clientOrderId, order: answer(outcome.value, result) };
    }
    if (outcome.case !== "error") {
      throw new ProtocolViolation(`the result of ${clientOrderId} is neither an order nor an error`);
    }
    const error = errorOfStatus(outcome.value);
    // An error of a repeat is the result only if it speaks about the earlier attempts as well.
    const open = error.outcome === "unknown" || (earlierAttempts > 0 && !settles(error));
    const work = { name: "The command", effect: "repeatable", clientOrderId } as const;
    return {
      clientOrderId,
      error: open ? unknownOutcome(work, earlierAttempts + 1, error) : error,
    };
  });
}

function answer(
  order: Order | undefined,
  about: {
    readonly asOfSequence: bigint;
    readonly priorityKept?: boolean;
    readonly journalId?: string;
  },
): OrderAnswer {
  if (order === undefined) {
    throw new ProtocolViolation("the answer has no order");
  }
  const { asOfSequence, priorityKept = false, journalId = "" } = about;
  return { ...order, asOfSequence, priorityKept, journalId };
}
