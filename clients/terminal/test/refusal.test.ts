import { describe, expect, it } from "vitest";
import { fieldErrors, Refusal, signInProblem } from "../src/domain/refusal.js";

describe("fieldErrors", () => {
  it("believes the fields that the venue names, in either writing", () => {
    const refusal = new Refusal("Wrong.", "FIELD_INVALID", [
      { field: "quoteQuantity", text: "too fine" },
      { field: "orders[0].expire_time", text: "too late" },
      { field: "account", text: "not on the ticket" },
    ]);
    expect(fieldErrors(refusal)).toEqual({ quoteQuantity: "too fine", expireTime: "too late" });
  });

  it("knows where a reason belongs that names no field", () => {
    const refusal = new Refusal("Off tick.", "PRICE_OFF_TICK", [], "Round it.");
    expect(fieldErrors(refusal)).toEqual({ price: "Off tick. Round it." });
  });

  it("says of a rejection what its reason means", () => {
    const refusal = new Refusal("The order was rejected.", "POST_ONLY_WOULD_TRADE", [], "Use POST_ONLY_REPRICE.");
    expect(fieldErrors(refusal).price).toContain("would trade at once");
  });

  it("leaves the rest to the order as a whole", () => {
    expect(fieldErrors(new Refusal("Later.", "OVERLOADED"))).toEqual({});
  });
});

it("says the advice once", () => {
  expect(new Refusal("Off. Round it.", "PRICE_OFF_TICK", [], "Round it.").text).toBe("Off. Round it.");
  expect(new Refusal("Off: round it.", "PRICE_OFF_TICK", [], "Round it.").text).toBe("Off: round it.");
  expect(new Refusal("Off.", "PRICE_OFF_TICK").text).toBe("Off.");
});

describe("signInProblem", () => {
  it("tells a trader what to do, and repeats what the venue said", () => {
    const refusal = new Refusal("The signature does not match.", "SIGNATURE_INVALID", [], "Compare the string to sign.");
    const { text, said } = signInProblem(refusal);
    expect(text).toContain("do not belong together");
    expect(text).not.toContain("string to sign");
    expect(said).toBe("The signature does not match.");
  });

  it("leaves what it does not know in the venue's words, once", () => {
    expect(signInProblem(new Refusal("Draining.", "DRAINING", [], "Try later."))).toEqual({ text: "Draining. Try later." });
  });
});
