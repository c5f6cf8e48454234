/**
 * The TypeScript client of the Tradewire trading API. Everything public is exported here, and the
 * contract's messages by `tradewire-client/contract`.
 */

export type { AccountOptions, AccountReader, AfterOptions, Executions } from "./account.js";
export { type Book, bookChecksum, type Level, LocalBook, OutOfSync } from "./book.js";
export type { CallOptions, Over } from "./caller.js";
export type { RateLimitState } from "./channel.js";
export { Client } from "./client.js";
export type { ClientOptions } from "./client_options.js";
export type { Connection } from "./connection.js";
export type { ConnectionPolicy, ConnectionState } from "./connection_policy.js";
export { Decimal, type DecimalInput, type Rounding } from "./decimal.js";
export type { DemoOptions } from "./demo.js";
export {
  AlreadyExists,
  AuthenticationError,
  BookCorrupted,
  ClientClosed,
  ConfigurationError,
  DeadlinePassed,
  type ErrorDetails,
  Exhausted,
  FailedPrecondition,
  type FieldViolation,
  InvalidRequest,
  JournalChanged,
  NotFound,
  NotServing,
  type Outcome,
  OutOfRange,
  PermissionDenied,
  ProtocolViolation,
  RateLimited,
  type ReasonName,
  Refused,
  Rejected,
  SequenceGap,
  SequenceRepeated,
  ServerFault,
  type StatusCode,
  StreamClosed,
  TimedOut,
  TooManyPending,
  TradewireError,
  Unavailable,
  UnknownOutcome,
} from "./errors.js";
export type { BookFeed, FeedOptions, MarketFeed, MarketUpdate } from "./feed.js";
export type { ExecutionStream, FollowOptions, LedgerStream } from "./follow.js";
export type {
  Account,
  Balance,
  LedgerEntry,
  Position,
} from "./gen/tradewire/v1/account_pb.js";
export type { ApiKey } from "./gen/tradewire/v1/key_pb.js";
export {
  type Candle,
  type Instrument,
  InstrumentStatus,
  type Ticker,
  type Trade,
} from "./gen/tradewire/v1/market_pb.js";
export { Scope } from "./gen/tradewire/v1/options_pb.js";
export {
  type Execution,
  ExecutionType,
  Liquidity,
  type Order,
  OrderStatus,
  OrderType,
  PostOnly,
  SelfTradePrevention,
  Side,
  TimeInForce,
} from "./gen/tradewire/v1/order_pb.js";
export { type AccountSnapshot, OrderFilter } from "./gen/tradewire/v1/order_service_pb.js";
export { Reason } from "./gen/tradewire/v1/reason_pb.js";
export type { Credentials, StaticToken, TicketProvider } from "./identity.js";
export type { EnumInput, TimeInput } from "./inputs.js";
export type { Keys, NewKey, Successor } from "./keyring.js";
export {
  Ed25519Key,
  HmacKey,
  type Key,
  type KeyEntry,
  keyFromEntry,
  type RequestToSign,
  requestStringToSign,
  sessionStringToSign,
  signature,
  signRequest,
  type Stamp,
} from "./keys.js";
export type {
  BookOptions,
  CandleIntervalInput,
  CandlesOptions,
  Market,
  TradesAfter,
  TradesOptions,
} from "./market.js";
export type {
  Amendment,
  Cancellation,
  MassCancellation,
  NewOrder,
  OrderAnswer,
  OrderListOptions,
  OrderResult,
  Orders,
  OrdersOptions,
} from "./orders.js";
export type { Pages } from "./pages.js";
export { type RestRequest, SignedRest, type SignedRestOptions } from "./rest.js";
export type { RetryPolicy } from "./retry.js";
export type { Session } from "./session.js";
export type { OpenSocket, Socket, SocketEvents, SocketOptions } from "./socket/socket.js";
export { errorOfJson } from "./status.js";
export type { Resumed, StreamPolicy } from "./stream.js";
export type { OrderTarget } from "./targets.js";
export type { World } from "./world.js";
