/**
 * Messages as WebSocket carries them: protobuf's JSON, under the names of the contract.
 */

import {
  type DescMessage,
  type DescMethod,
  fromJson,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";

import { ruleOf } from "./channel.js";
import { ConfigurationError, ServerFault } from "./errors.js";
import { DETAILS } from "./status.js";

/** @throws ConfigurationError if the method has no name there. */
export function jsonRpcName(method: DescMethod): string {
  const rule = ruleOf(method);
  if (rule === undefined) {
    throw new ConfigurationError(`${method.name} cannot be called over WebSocket`);
  }
  return rule.jsonRpc;
}

/** @throws TypeError if the message cannot be written, e.g. a time with negative nanoseconds. */
export function writeMessage<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  try {
    return toJson(schema, message);
  } catch (cause) {
    throw new TypeError(`${schema.name} cannot be written: ${String(cause)}`, { cause });
  }
}

/** @throws ServerFault if it is no such message. */
export function readMessage<Desc extends DescMessage>(schema: Desc, json: unknown): MessageShape<Desc> {
  try {
    return fromJson(schema, json as JsonValue, { registry: DETAILS, ignoreUnknownFields: true });
  } catch (cause) {
    throw new ServerFault(`the answer is no ${schema.name}`, { code: "UNKNOWN", cause });
  }
}
