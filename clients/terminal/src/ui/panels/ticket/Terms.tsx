/** How long an order works, and whether it may take. */
import type { JSX } from "preact";
import type { PostOnly, TimeInForce } from "../../../domain/types.js";
import { useTerminal } from "../../context.js";
import { FieldNote } from "./Field.js";

const TIMES: readonly { readonly value: TimeInForce; readonly label: string; readonly meaning: string }[] = [
  { value: "gtc", label: "GTC", meaning: "Good till canceled" },
  { value: "day", label: "DAY", meaning: "Until 00:00 UTC" },
  { value: "gtd", label: "GTD", meaning: "Until a time" },
  { value: "ioc", label: "IOC", meaning: "Immediate or cancel" },
  { value: "fok", label: "FOK", meaning: "Fill or kill" },
];
const POST_ONLY: readonly { readonly value: PostOnly; readonly label: string }[] = [
  { value: "off", label: "Off" },
  { value: "reject", label: "Reject" },
  { value: "reprice", label: "Reprice" },
];

export function Terms(): JSX.Element {
  const { ticket } = useTerminal();
  const errors = ticket.errors.value;
  const market = ticket.type.value === "market";
  const times = market ? TIMES.filter(({ value }) => value === "ioc" || value === "fok") : TIMES;
  return (
    <>
      <div class="pair">
        <div class="field" data-invalid={errors.timeInForce !== undefined}>
          <label for="timeInForce">Time in force</label>
          <select
            id="timeInForce"
            value={ticket.timeInForce.value}
            aria-describedby="terms-note"
            onChange={(event) => {
              ticket.timeInForce.value = event.currentTarget.value as TimeInForce;
              ticket.recheck();
            }}
          >
            {times.map(({ value, label, meaning }) => (
              <option key={value} value={value} title={meaning}>
                {label}
              </option>
            ))}
          </select>
        </div>
        <div class="field" data-invalid={errors.postOnly !== undefined}>
          <label for="postOnly">Post-only</label>
          <select
            id="postOnly"
            value={ticket.postOnly.value}
            disabled={market}
            aria-describedby="terms-note"
            onChange={(event) => {
              ticket.postOnly.value = event.currentTarget.value as PostOnly;
              ticket.recheck();
            }}
          >
            {POST_ONLY.map(({ value, label }) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </div>
      </div>
      {ticket.timeInForce.value === "gtd" ? <ExpireTime /> : null}
      <FieldNote id="terms-note" error={errors.timeInForce ?? errors.postOnly} />
    </>
  );
}

function ExpireTime(): JSX.Element {
  const { ticket } = useTerminal();
  const error = ticket.errors.value.expireTime;
  return (
    <div class="field" data-invalid={error !== undefined}>
      <label for="expireTime">Works until</label>
      <input
        id="expireTime"
        type="datetime-local"
        value={ticket.expireTime}
        aria-invalid={error !== undefined}
        aria-describedby="expireTime-note"
        onInput={(event) => {
          ticket.expireTime.value = event.currentTarget.value;
          ticket.recheck();
        }}
      />
      <FieldNote id="expireTime-note" error={error} />
    </div>
  );
}
