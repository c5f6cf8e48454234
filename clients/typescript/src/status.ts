/**
 * Makes errors of what the venue answers: a `google.rpc.Status`, be it a message, the JSON of REST
 * and WebSocket, or what gRPC-web carries.
 */

import { create, createRegistry, fromJson, type JsonValue, type Registry } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";

import {
  AlreadyExists,
  AuthenticationError,
  DeadlinePassed,
  Exhausted,
  FailedPrecondition,
  type FieldViolation,
  InvalidRequest,
  NotFound,
  NotServing,
  OutOfRange,
  PermissionDenied,
  RateLimited,
  Refused,
  Rejected,
  ServerFault,
  type StatusCode,
  StreamClosed,
  TimedOut,
  TradewireError,
  Unavailable,
} from "./errors.js";
import { type ReasonRule, REASONS, STATUS_CODES } from "./gen/annotations.js";
import {
  BadRequestSchema,
  type BadRequest,
  type ErrorInfo,
  ErrorInfoSchema,
  file_google_rpc_error_details,
} from "./gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "./gen/google/rpc/status_pb.js";
import type { Closing } from "./gen/tradewire/v1/stream_pb.js";

const DOMAIN = "tradewire";

/** The messages that can stand in the details of a status. */
export const DETAILS: Registry = createRegistry(file_google_rpc_error_details);

type Kind = new (
  message: string,
  details: ConstructorParameters<typeof TradewireError>[1],
) => TradewireError;

const CODES: ReadonlyMap<number, StatusCode> = new Map(
  Object.entries(STATUS_CODES).map(([name, code]) => [code, name as StatusCode]),
);
const REFUSED_BY_CODE: Partial<Readonly<Record<StatusCode, Kind>>> = {
  INVALID_ARGUMENT: InvalidRequest,
  UNAUTHENTICATED: AuthenticationError,
  PERMISSION_DENIED: PermissionDenied,
  NOT_FOUND: NotFound,
  ALREADY_EXISTS: AlreadyExists,
  FAILED_PRECONDITION: FailedPrecondition,
  OUT_OF_RANGE: OutOfRange,
  RESOURCE_EXHAUSTED: Exhausted,
  DEADLINE_EXCEEDED: DeadlinePassed,
  UNAVAILABLE: NotServing,
};
// Without `ErrorInfo` it may be a proxy that answers. These say that nothing was done all the same.
const REFUSED_BY_ANYONE: ReadonlySet<StatusCode> = new Set([
  "INVALID_ARGUMENT",
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "NOT_FOUND",
  "UNIMPLEMENTED",
]);

/** The error that the status of a call, a command or a closing means. */
export function errorOfStatus(status: Status): TradewireError {
  const details = status.details.map(unpack);
  return makeError(
    CODES.get(status.code) ?? "UNKNOWN",
    status.message,
    details.find((detail) => isErrorInfo(detail)),
    details.find((detail) => isBadRequest(detail)),
  );
}

/** The error that a status in JSON means, as REST and WebSocket carry it. */
export function errorOfJson(json: unknown): TradewireError {
  try {
    return errorOfStatus(
      fromJson(StatusSchema, json as JsonValue, { registry: DETAILS, ignoreUnknownFields: true }),
    );
  } catch (cause) {
    return new ServerFault("the answer is an error of an unknown form", { code: "UNKNOWN", cause });
  }
}

/** The error that a failed call of gRPC-web means. */
export function errorOfConnect(error: unknown): TradewireError {
  if (error instanceof TradewireError) {
    return error;
  }
  const failure = ConnectError.from(error);
  if (isNetworkFailure(failure)) {
    return new Unavailable(`the venue cannot be reached: ${failure.rawMessage}`, {
      code: "UNAVAILABLE",
      cause: error,
    });
  }
  return makeError(
    CODES.get(failure.code) ?? "UNKNOWN",
    failure.rawMessage,
    failure.findDetails(ErrorInfoSchema).find((info) => info.domain === DOMAIN),
    failure.findDetails(BadRequestSchema)[0],
    error,
  );
}

/** The error that a closing means. */
export function errorOfClosing(closing: Closing): TradewireError {
  const error =
    closing.status === undefined
      ? new Unavailable("the stream ended without saying why")
      : errorOfStatus(closing.status);
  if (error instanceof StreamClosed) {
    error.resumeAfter = closing.resumeAfter;
  }
  return error;
}

/** The error that the name of a reason means, undefined if it is none. */
export function errorOfReason(name: string): TradewireError | undefined {
  if (!Object.hasOwn(REASONS, name)) {
    return undefined;
  }
  const reason: ReasonRule = REASONS[name as keyof typeof REASONS];
  const metadata = {
    outcome: reason.outcome,
    retryable: String(reason.retryable),
    advice: reason.advice,
  };
  const info = create(ErrorInfoSchema, { reason: name, domain: DOMAIN, metadata });
  return makeError(CODES.get(reason.code) ?? "UNKNOWN", "", info, undefined);
}

function makeError(
  code: StatusCode,
  message: string,
  info: ErrorInfo | undefined,
  bad: BadRequest | undefined,
  cause?: unknown,
): TradewireError {
  const reasonName = info?.reason ?? "";
  const prefix = `${reasonName}: `;
  const fieldViolations: FieldViolation[] = (bad?.fieldViolations ?? []).map((violation) => ({
    field: violation.field,
    description: violation.description,
  }));
  const details = { code, reasonName, metadata: { ...info?.metadata }, fieldViolations, cause };
  // The venue's text names the reason as well, for those who see nothing but the text.
  const text = reasonName !== "" && message.startsWith(prefix) ? message.slice(prefix.length) : message;
  return new (kindOf(code, info))(text === "" ? code : text, details);
}

function kindOf(code: StatusCode, info: ErrorInfo | undefined): Kind {
  if (info === undefined) {
    if (REFUSED_BY_ANYONE.has(code)) {
      return REFUSED_BY_CODE[code] ?? Refused;
    }
    return code === "UNAVAILABLE" ? Unavailable : code === "DEADLINE_EXCEEDED" ? TimedOut : ServerFault;
  }
  switch (info.metadata["outcome"]) {
    case "rejected":
      return Rejected;
    case "unknown":
      // Said by a gateway that had no answer. Of a read it means no more than it says; of a command
      // it makes an UnknownOutcome of whatever it ends in.
      return code === "DEADLINE_EXCEEDED" ? TimedOut : Unavailable;
    case "refused":
      return info.reason === "RATE_LIMITED" ? RateLimited : (REFUSED_BY_CODE[code] ?? Refused);
    default:
      return StreamClosed;
  }
}

/** Whether fetch itself failed: no answer, or one that broke off. */
function isNetworkFailure(failure: ConnectError): boolean {
  const cause = failure.cause;
  const ofFetch = cause instanceof TypeError || (cause instanceof Error && cause.name === "NetworkError");
  return ofFetch && (failure.code === Code.Unknown || failure.code === Code.Internal || failure.code === Code.Unavailable);
}

function unpack(detail: Any): ErrorInfo | BadRequest | undefined {
  try {
    const message = anyUnpack(detail, DETAILS);
    return message === undefined || (!isErrorInfo(message) && !isBadRequest(message))
      ? undefined
      : message;
  } catch {
    return undefined;
  }
}

function isErrorInfo(message: { $typeName: string } | undefined): message is ErrorInfo {
  return message?.$typeName === ErrorInfoSchema.typeName && (message as ErrorInfo).domain === DOMAIN;
}

function isBadRequest(message: { $typeName: string } | undefined): message is BadRequest {
  return message?.$typeName === BadRequestSchema.typeName;
}
