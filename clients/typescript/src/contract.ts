/**
 * The contract itself: messages, enums and services as protobuf-es has them, and what the contract
 * says beside them. Everything here is generated.
 */

export * from "./gen/annotations.js";
export * from "./gen/tradewire/v1/account_pb.js";
export * from "./gen/tradewire/v1/account_service_pb.js";
export * from "./gen/tradewire/v1/admin_service_pb.js";
export * from "./gen/tradewire/v1/execution_service_pb.js";
export * from "./gen/tradewire/v1/key_pb.js";
export * from "./gen/tradewire/v1/key_service_pb.js";
export * from "./gen/tradewire/v1/market_data_service_pb.js";
export * from "./gen/tradewire/v1/market_pb.js";
export * from "./gen/tradewire/v1/options_pb.js";
export * from "./gen/tradewire/v1/order_pb.js";
export * from "./gen/tradewire/v1/order_service_pb.js";
export * from "./gen/tradewire/v1/reason_pb.js";
export * from "./gen/tradewire/v1/session_service_pb.js";
export * from "./gen/tradewire/v1/stream_pb.js";
export * from "./gen/tradewire/v1/websocket_pb.js";
