/** Public trades, newest first. */
import type { JSX } from "preact";
import type { Instrument, Trade } from "../../domain/types.js";
import { decimalsOf } from "../../money/decimal.js";
import { fixed, timeOfDay } from "../../money/format.js";
import { useTerminal } from "../context.js";
import { Arrow } from "../parts/icons.js";
import { Empty, Loaded } from "../parts/Notice.js";

const SHOWN = 50;

export function TradesPanel(): JSX.Element {
  const { market, instruments } = useTerminal();
  const instrument = instruments.current.value;
  const trades = market.trades.value.slice(0, SHOWN);
  return (
    <section class="panel trades" aria-label="Recent trades">
      <header class="panel-head">
        <h2>Recent trades</h2>
      </header>
      <div class="trade-columns columns-head" aria-hidden="true">
        <span>
          Price <span class="head-unit">{instrument?.quoteAsset}</span>
        </span>
        <span>
          Quantity <span class="head-unit">{instrument?.baseAsset}</span>
        </span>
        <span>Time</span>
      </div>
      <div class="panel-body scroll" tabIndex={0} role="group" aria-label="List of trades">
        <Loaded
          loading={market.loading.value}
          what="trades"
          retry={() => {
            market.retry();
          }}
        >
          {trades.length === 0 || instrument === undefined ? (
            <Empty title="No trades yet" />
          ) : (
            <ol class="trade-list">
              {trades.map((trade) => (
                <TradeRow key={trade.tradeId} trade={trade} instrument={instrument} />
              ))}
            </ol>
          )}
        </Loaded>
      </div>
    </section>
  );
}

function TradeRow({ trade, instrument }: { readonly trade: Trade; readonly instrument: Instrument }): JSX.Element {
  const { takerSide, price, quantity, time } = trade;
  return (
    <li class={`trade-row trade-columns ${takerSide}`}>
      <span class="figure price">
        <Arrow up={takerSide === "buy"} />
        <span class="unseen">{takerSide === "buy" ? "bought at " : "sold at "}</span>
        {fixed(price, decimalsOf(instrument.tickSize))}
      </span>
      <span class="figure">{fixed(quantity, Math.min(decimalsOf(instrument.lotSize), 6))}</span>
      <span class="figure faint">{timeOfDay(time)}</span>
    </li>
  );
}
