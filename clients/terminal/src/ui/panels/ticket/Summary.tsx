/** What the order comes to. */
import type { JSX } from "preact";
import { feeRate } from "../../../domain/estimate.js";
import type { Instrument } from "../../../domain/types.js";
import { multiply, type Decimal } from "../../../money/decimal.js";
import { amount, exact } from "../../../money/format.js";
import { useTerminal } from "../../context.js";

export function Summary({ instrument }: { readonly instrument: Instrument }): JSX.Element {
  const { ticket, account } = useTerminal();
  const estimated = ticket.estimate.value;
  const { quoteAsset } = instrument;
  const rates = account.account.value;
  const rate = rates === undefined ? undefined : feeRate(rates, ticket.postOnly.value);
  const money = (value: Decimal | undefined): string =>
    value === undefined ? "\u2013" : `${amount(value, quoteAsset)} ${quoteAsset}`;
  const about = ticket.type.value === "market" ? "About" : "Notional";
  return (
    <dl class="summary">
      <div class="line">
        <dt>{about}</dt>
        <dd class="figure">{money(estimated?.notional)}</dd>
      </div>
      <div class="line">
        <dt>Fee, at most{rate === undefined ? "" : ` (${exact(multiply(rate, "100"))} %)`}</dt>
        <dd class="figure">{money(estimated?.fee)}</dd>
      </div>
      <div class="line strong">
        <dt>{ticket.side.value === "buy" ? "Total" : "You receive"}</dt>
        <dd class="figure">{money(estimated?.total)}</dd>
      </div>
    </dl>
  );
}
