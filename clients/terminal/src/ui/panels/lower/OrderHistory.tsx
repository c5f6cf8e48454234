/** Orders that ended, as far back as the executions that were fetched. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { reasonWords } from "../../../domain/reasons.js";
import type { Order } from "../../../domain/types.js";
import { isZero } from "../../../money/decimal.js";
import { amount, exact } from "../../../money/format.js";
import { useTerminal } from "../../context.js";
import { Empty, Loaded } from "../../parts/Notice.js";
import { Cell, Table } from "../../parts/Table.js";
import { OrderHead, priceText, quantityText, Status } from "./columns.js";
import { MoreButton, ROWS_AT_ONCE } from "./Executions.js";

const COLUMNS = {
  time: { name: "Placed", minor: true },
  symbol: { name: "Instrument" },
  side: { name: "Side" },
  terms: { name: "Type", minor: true },
  price: { name: "Price", figure: true },
  quantity: { name: "Quantity", figure: true },
  filled: { name: "Filled", figure: true },
  average: { name: "Average", figure: true },
  fee: { name: "Fee", figure: true, minor: true },
  status: { name: "Status" },
} as const;

export function OrderHistory(): JSX.Element {
  const { orders, executions } = useTerminal();
  const shown = useSignal(ROWS_AT_ONCE);
  const closed = orders.closed.value;
  return (
    <Loaded
      loading={executions.loading.value}
      what="your orders"
      retry={() => {
        executions.open();
      }}
    >
      {closed.length === 0 ? (
        <Empty title="No finished orders">Orders that were filled, canceled or rejected stand here.</Empty>
      ) : (
        <Table label="Order history" columns={Object.values(COLUMNS)}>
          {closed.slice(0, shown.value).map((order) => (
            <HistoryRow key={order.orderId} order={order} />
          ))}
        </Table>
      )}
      <MoreButton shown={shown} count={closed.length} />
    </Loaded>
  );
}

function HistoryRow({ order }: { readonly order: Order }): JSX.Element {
  const { instruments } = useTerminal();
  const instrument = instruments.find(order.symbol);
  const traded = !isZero(order.filledQuantity);
  return (
    <tr data-order={order.orderId}>
      <OrderHead order={order} columns={COLUMNS} />
      <Cell column={COLUMNS.price}>{priceText(order.price, instrument)}</Cell>
      <Cell column={COLUMNS.quantity}>{quantityText(order, instrument)}</Cell>
      <Cell column={COLUMNS.filled}>{exact(order.filledQuantity)}</Cell>
      <Cell column={COLUMNS.average} title={order.averagePrice}>
        {traded ? priceText(order.averagePrice, instrument) : "\u2013"}
      </Cell>
      <Cell column={COLUMNS.fee} title={order.fee}>
        {traded ? amount(order.fee, instrument?.quoteAsset ?? "") : "\u2013"}
      </Cell>
      <Cell column={COLUMNS.status}>
        <Status status={order.status} />
        {order.reason === "" ? null : <span class="muted"> {reasonWords(order.reason)}</span>}
      </Cell>
    </tr>
  );
}
