import type { JSX } from "preact";
import type { Side } from "../../domain/types.js";
import { Arrow } from "./icons.js";

/** A side as colour, arrow and word. */
export function SideLabel({ side }: { readonly side: Side }): JSX.Element {
  return (
    <span class={`side ${side}`}>
      <Arrow up={side === "buy"} />
      {side === "buy" ? "Buy" : "Sell"}
    </span>
  );
}
