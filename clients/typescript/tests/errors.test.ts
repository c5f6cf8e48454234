import { describe, expect, test } from "vitest";

import { REASONS } from "../src/contract.js";
import {
  DeadlinePassed,
  errorOfJson,
  Exhausted,
  InvalidRequest,
  NotFound,
  NotServing,
  OutOfRange,
  RateLimited,
  Refused,
  Rejected,
  ServerFault,
  StreamClosed,
  TimedOut,
  TradewireError,
  Unavailable,
} from "../src/index.js";
import { isTransient, needsSignIn, settles } from "../src/errors.js";
import { status } from "./fake_venue.js";

const AS = (outcome: string): Record<string, string> => ({ outcome });

describe("the class of an error follows from code and outcome", () => {
  test.each([
    [3, "FIELD_INVALID", "refused", InvalidRequest],
    [5, "ORDER_NOT_FOUND", "refused", NotFound],
    [8, "RATE_LIMITED", "refused", RateLimited],
    [8, "STREAM_LIMIT", "refused", Exhausted],
    [4, "DEADLINE_PASSED", "refused", DeadlinePassed],
    [11, "SEQUENCE_OUT_OF_RANGE", "refused", OutOfRange],
    [14, "NOT_SERVING", "refused", NotServing],
    [13, "INTERNAL", "refused", Refused],
    [9, "INSUFFICIENT_FUNDS", "rejected", Rejected],
    [4, "ANSWER_LATE", "unknown", TimedOut],
    [14, "ANSWER_LOST", "unknown", Unavailable],
    [8, "SLOW_CONSUMER", "stream_closed", StreamClosed],
    [3, "OF_A_LATER_RELEASE", "refused", InvalidRequest],
  ])("%i %s %s", (code, reason, outcome, kind) => {
    const error = errorOfJson(status(code, reason, AS(outcome)));
    expect(error.constructor).toBe(kind);
    expect(error).toBeInstanceOf(TradewireError);
    expect([error.reasonName, error.message]).toEqual([reason, `text of ${reason}`]);
    expect(error.reason).toBe(reason in REASONS ? reason : undefined);
  });

  test.each([
    [14, Unavailable],
    [4, TimedOut],
    [16, Refused],
    [12, Refused],
    [13, ServerFault],
    [2, ServerFault],
    [99, ServerFault],
  ])("%i of somebody else on the way", (code, kind) => {
    const error = errorOfJson({ code, message: "upstream" });
    expect(error).toBeInstanceOf(kind);
    expect([error.reason, error.outcome, error.message]).toEqual([undefined, undefined, "upstream"]);
  });

  test.each([[null], ["text"], [{ code: "x" }], [{ code: 3, details: [{ "@type": "x/unknown.Type" }] }]])(
    "%j is an error, too",
    (json) => {
      expect(errorOfJson(json)).toBeInstanceOf(ServerFault);
    },
  );
});

test("an error says all that the venue said", () => {
  const fields = [{ field: "price", description: "price is no decimal" }];
  const metadata = { advice: "Wait.", retryable: "true", retry_after_ms: "250" };
  const error = errorOfJson(status(8, "RATE_LIMITED", metadata, fields));
  expect(error).toMatchObject({
    name: "RateLimited",
    code: "RESOURCE_EXHAUSTED",
    reason: "RATE_LIMITED",
    outcome: "refused",
    retryable: true,
    retryAfterMs: 250,
    advice: "Wait.",
    fieldViolations: fields,
  });
});

describe("what an error means for a repeat", () => {
  const error = (code: number, reason: string, outcome: string, retryable = "false"): TradewireError =>
    errorOfJson(status(code, reason, { outcome, retryable }));

  test("answers of the engine are about all sendings", () => {
    expect(settles(error(9, "INSUFFICIENT_FUNDS", "rejected"))).toBe(true);
    expect(settles(error(6, "CLIENT_ORDER_ID_REUSED", "refused"))).toBe(true);
    expect(settles(error(8, "RATE_LIMITED", "refused"))).toBe(false);
    expect(settles(error(16, "TOKEN_EXPIRED", "refused"))).toBe(false);
    expect(settles(error(14, "OVERLOADED", "refused"))).toBe(false);
    expect(settles(error(13, "INTERNAL", "refused"))).toBe(false);
    expect(settles(error(14, "ANSWER_LOST", "unknown"))).toBe(false);
  });

  test("only what may pass is tried again", () => {
    expect(isTransient(error(14, "NOT_SERVING", "refused", "true"))).toBe(true);
    expect(isTransient(error(14, "ANSWER_LOST", "unknown", "true"))).toBe(true);
    expect(isTransient(error(3, "FIELD_INVALID", "refused"))).toBe(false);
    expect(isTransient(error(9, "INSUFFICIENT_FUNDS", "rejected", "true"))).toBe(false);
    expect(isTransient(errorOfJson({ code: 13, message: "reset" }))).toBe(true);
    expect(isTransient(errorOfJson({ code: 2, message: "?" }))).toBe(false);
  });

  test("a token that has ended asks for a sign-in", () => {
    expect(needsSignIn(error(16, "TOKEN_EXPIRED", "refused"))).toBe(true);
    expect(needsSignIn(error(16, "SIGNATURE_INVALID", "refused"))).toBe(false);
  });
});
