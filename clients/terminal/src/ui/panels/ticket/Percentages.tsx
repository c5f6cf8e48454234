/** Buttons that take a part of what is available. */
import type { JSX } from "preact";
import { amount } from "../../../money/format.js";
import { useTerminal } from "../../context.js";

const PERCENTAGES = [25, 50, 75, 100];

export function Percentages(): JSX.Element {
  const { ticket } = useTerminal();
  const available = ticket.available.value;
  return (
    <div class="percentages">
      <div class="percent-buttons" role="group" aria-label="Part of what is available">
        {PERCENTAGES.map((percent) => (
          <button
            key={percent}
            type="button"
            class="button small"
            onClick={() => {
              ticket.takePercent(percent);
            }}
          >
            {percent === 100 ? "Max" : `${percent}%`}
          </button>
        ))}
      </div>
      <p class="line">
        <span class="muted">Available</span>
        <span class="figure" title={available?.amount}>
          {available === undefined ? "\u2013" : `${amount(available.amount, available.asset)} ${available.asset}`}
        </span>
      </p>
    </div>
  );
}
