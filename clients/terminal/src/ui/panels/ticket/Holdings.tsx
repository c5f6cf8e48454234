/** What the account has of the instrument's two assets, and its position: below the ticket, where it is looked for. */
import type { JSX } from "preact";
import { profitAt } from "../../../domain/estimate.js";
import { isZero } from "../../../money/decimal.js";
import { amount, exact, signed } from "../../../money/format.js";
import { useTerminal } from "../../context.js";
import { Arrow } from "../../parts/icons.js";
import { priceText } from "../lower/columns.js";

export function Holdings(): JSX.Element | null {
  const { instruments, account } = useTerminal();
  const instrument = instruments.current.value;
  if (instrument === undefined) return null;
  const { baseAsset, quoteAsset } = instrument;
  const balances = account.balances.value.filter(({ asset }) => asset === baseAsset || asset === quoteAsset);
  return (
    <section class="holdings" aria-label={`Holdings in ${instrument.symbol}`}>
      <h3>Holdings</h3>
      {balances.map(({ asset, available, held }) => (
        <dl key={asset}>
          <div class="line">
            <dt>{asset} available</dt>
            <dd class="figure" title={available}>
              {amount(available, asset)}
            </dd>
          </div>
          <div class="line">
            <dt>{asset} in orders</dt>
            <dd class="figure" title={held}>
              {amount(held, asset)}
            </dd>
          </div>
        </dl>
      ))}
      <OpenPosition symbol={instrument.symbol} />
    </section>
  );
}

function OpenPosition({ symbol }: { readonly symbol: string }): JSX.Element | null {
  const { instruments, account } = useTerminal();
  const position = account.positions.value.find((one) => one.symbol === symbol);
  const last = instruments.ticker(symbol).value.lastPrice;
  if (position === undefined || isZero(position.quantity)) return null;
  const { quantity, averageEntryPrice, unrealizedPnl } = position;
  const profit = last === undefined ? unrealizedPnl : profitAt(quantity, averageEntryPrice, last);
  const up = !profit.startsWith("-");
  return (
    <dl>
      <div class="line">
        <dt>Position</dt>
        <dd class="figure">
          {exact(quantity)} <span class="muted">at {priceText(averageEntryPrice, instruments.find(symbol))}</span>
        </dd>
      </div>
      <div class="line">
        <dt>Unrealised</dt>
        <dd class={`figure ${isZero(profit) ? "" : up ? "up" : "down"}`}>
          {isZero(profit) ? null : <Arrow up={up} />} {signed(profit, 2)}
        </dd>
      </div>
    </dl>
  );
}
