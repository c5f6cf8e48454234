import type { JSX } from "preact";
import { profitAt } from "../../../domain/estimate.js";
import type { Position } from "../../../domain/types.js";
import { isZero, type Decimal } from "../../../money/decimal.js";
import { amount, exact, signed } from "../../../money/format.js";
import { useTerminal } from "../../context.js";
import { Arrow } from "../../parts/icons.js";
import { Empty, Loaded } from "../../parts/Notice.js";
import { Cell, Table } from "../../parts/Table.js";
import { priceText } from "./columns.js";

const COLUMNS = {
  symbol: { name: "Instrument" },
  quantity: { name: "Quantity", figure: true },
  average: { name: "Average price", figure: true },
  last: { name: "Last price", figure: true },
  unrealized: { name: "Unrealised", figure: true },
  realized: { name: "Realised", figure: true },
  fees: { name: "Fees", figure: true, minor: true },
} as const;

/** The net result of the account's trades in each instrument; what is open is valued at the last trade as it comes. */
export function Positions(): JSX.Element {
  const { account } = useTerminal();
  const positions = account.positions.value;
  return (
    <Loaded loading={account.loading.value} what="your positions">
      {positions.length === 0 ? (
        <Empty title="No positions">The first trade opens one.</Empty>
      ) : (
        <Table label="Positions" columns={Object.values(COLUMNS)}>
          {positions.map((position) => (
            <PositionRow key={position.symbol} position={position} />
          ))}
        </Table>
      )}
    </Loaded>
  );
}

function PositionRow({ position }: { readonly position: Position }): JSX.Element {
  const { instruments } = useTerminal();
  const { symbol, quantity, averageEntryPrice, realizedPnl, unrealizedPnl, fees } = position;
  const instrument = instruments.find(symbol);
  const last = instruments.ticker(symbol).value.lastPrice;
  const open = !isZero(quantity);
  const unrealized = open && last !== undefined ? profitAt(quantity, averageEntryPrice, last) : unrealizedPnl;
  return (
    <tr data-symbol={symbol}>
      <Cell column={COLUMNS.symbol} kind="lead">
        {symbol}
      </Cell>
      <Cell column={COLUMNS.quantity}>{exact(quantity)}</Cell>
      <Cell column={COLUMNS.average} title={averageEntryPrice}>
        {open ? priceText(averageEntryPrice, instrument) : "\u2013"}
      </Cell>
      <Cell column={COLUMNS.last}>{last === undefined ? "\u2013" : priceText(last, instrument)}</Cell>
      <Cell column={COLUMNS.unrealized} title={unrealized}>
        <Profit value={unrealized} />
      </Cell>
      <Cell column={COLUMNS.realized} title={realizedPnl}>
        <Profit value={realizedPnl} />
      </Cell>
      <Cell column={COLUMNS.fees} title={fees}>
        {amount(fees, instrument?.quoteAsset ?? "")}
      </Cell>
    </tr>
  );
}

function Profit({ value }: { readonly value: Decimal }): JSX.Element {
  if (isZero(value)) return <span>0.00</span>;
  const up = !value.startsWith("-");
  return (
    <span class={up ? "up" : "down"}>
      <Arrow up={up} /> {signed(value, 2)}
    </span>
  );
}
