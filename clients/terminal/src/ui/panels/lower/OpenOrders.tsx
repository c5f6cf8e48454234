/** Orders that work: amended in place, canceled one by one. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useCallback } from "preact/hooks";
import type { Order } from "../../../domain/types.js";
import { exact } from "../../../money/format.js";
import { describe } from "../../../stores/terminal.js";
import { useTerminal } from "../../context.js";
import { Close, Pencil } from "../../parts/icons.js";
import { Empty, Loaded } from "../../parts/Notice.js";
import { Cell, Table } from "../../parts/Table.js";
import { AmendRow } from "./AmendRow.js";
import { filledPercent, OrderHead, priceText, Status } from "./columns.js";

export const COLUMNS = {
  time: { name: "Time", minor: true },
  symbol: { name: "Instrument" },
  side: { name: "Side" },
  terms: { name: "Type", minor: true },
  price: { name: "Price", figure: true },
  quantity: { name: "Quantity", figure: true },
  filled: { name: "Filled", figure: true },
  status: { name: "Status" },
  actions: { name: "Actions", silent: true },
} as const;

export function OpenOrders(): JSX.Element {
  const { orders, executions } = useTerminal();
  const amending = useSignal("");
  const open = orders.open.value;
  const close = useCallback(() => {
    const orderId = amending.peek();
    amending.value = "";
    // The focus goes back to where it came from, once the row is there again.
    requestAnimationFrame(() => {
      document.querySelector<HTMLElement>(`tr[data-order="${orderId}"] .icon-button`)?.focus();
    });
  }, []);
  return (
    <Loaded
      loading={executions.loading.value}
      what="your orders"
      retry={() => {
        executions.open();
      }}
    >
      {open.length === 0 ? (
        <Empty title="No open orders">Orders that work stand here. Click a price in the book to begin one.</Empty>
      ) : (
        <Table label="Open orders" columns={Object.values(COLUMNS)}>
          {open.map((order) =>
            order.orderId === amending.value ? (
              <AmendRow key={`amend-${order.orderId}`} order={order} close={close} />
            ) : (
              <OrderRow
                key={order.orderId}
                order={order}
                amend={() => {
                  amending.value = order.orderId;
                }}
              />
            ),
          )}
        </Table>
      )}
    </Loaded>
  );
}

/** Takes a keyboard on to the next order when the one it was at is gone, where Enter does no harm. */
function keepFocus(goneOrderId: string): void {
  requestAnimationFrame(() => {
    if (document.activeElement !== document.body) return;
    const next = document.querySelector<HTMLElement>(`#lower-panel tr[data-order]:not([data-order="${goneOrderId}"]) .actions button`);
    (next ?? document.getElementById("lower-panel"))?.focus();
  });
}

function OrderRow({ order, amend }: { readonly order: Order; readonly amend: () => void }): JSX.Element {
  const terminal = useTerminal();
  const instrument = terminal.instruments.find(order.symbol);
  const canceling = terminal.canceling.value.has(order.orderId);
  const { canTrade } = terminal.session;
  return (
    <tr data-order={order.orderId}>
      <OrderHead order={order} columns={COLUMNS} />
      <Cell column={COLUMNS.price}>{priceText(order.price, instrument)}</Cell>
      <Cell column={COLUMNS.quantity}>{exact(order.quantity ?? "0")}</Cell>
      <Cell column={COLUMNS.filled}>
        {exact(order.filledQuantity)} <span class="muted">({filledPercent(order)}%)</span>
      </Cell>
      <Cell column={COLUMNS.status}>
        <Status status={order.status} />
      </Cell>
      <Cell column={COLUMNS.actions} kind="actions">
        {canTrade ? (
          <>
            <button type="button" class="icon-button" title="Amend" aria-label={`Amend ${describe(order)}`} onClick={amend}>
              <Pencil />
            </button>
            <button
              type="button"
              class="icon-button bad"
              title="Cancel"
              aria-label={`Cancel ${describe(order)}`}
              disabled={canceling}
              onClick={() => void terminal.cancel(order).then(() => {
                keepFocus(order.orderId);
              })}
            >
              <Close />
            </button>
          </>
        ) : null}
      </Cell>
    </tr>
  );
}
