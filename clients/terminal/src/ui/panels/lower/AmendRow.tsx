/** An order's row while its price and quantity are being changed. Enter sends, Escape leaves it as it is. */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { amendProblems, changesOf } from "../../../domain/amending.js";
import { fieldErrors, Refusal, type FieldErrors } from "../../../domain/refusal.js";
import type { Order } from "../../../domain/types.js";
import { exact } from "../../../money/format.js";
import { textOf } from "../../../stores/loading.js";
import { useTerminal } from "../../context.js";
import { Check, Close } from "../../parts/icons.js";
import { Cell } from "../../parts/Table.js";
import { OrderHead } from "./columns.js";
import { COLUMNS } from "./OpenOrders.js";

export function AmendRow({ order, close }: { readonly order: Order; readonly close: () => void }): JSX.Element {
  const terminal = useTerminal();
  const instrument = terminal.instruments.find(order.symbol);
  const price = useSignal(order.price ?? "");
  const quantity = useSignal(order.quantity ?? "");
  const errors = useSignal<FieldErrors>({});
  const problem = useSignal("");
  const sending = useSignal(false);

  const send = async (): Promise<void> => {
    if (instrument === undefined || sending.peek()) return;
    const draft = { price: price.peek().trim(), quantity: quantity.peek().trim() };
    errors.value = amendProblems(draft, order, instrument, terminal.rules);
    problem.value = "";
    if (Object.keys(errors.peek()).length > 0) return;
    const changes = changesOf(draft, order);
    if (changes === undefined) {
      close();
      return;
    }
    sending.value = true;
    try {
      await terminal.amend({ orderId: order.orderId, ...changes });
      close();
    } catch (error) {
      errors.value = error instanceof Refusal ? fieldErrors(error) : {};
      problem.value = Object.keys(errors.peek()).length > 0 ? "" : textOf(error);
      sending.value = false;
    }
  };
  const recheck = (): void => {
    const wrong = Object.keys(errors.peek()).length > 0;
    if (!wrong || instrument === undefined) return;
    const draft = { price: price.peek().trim(), quantity: quantity.peek().trim() };
    errors.value = amendProblems(draft, order, instrument, terminal.rules);
  };
  const text = errors.value.price ?? errors.value.quantity ?? problem.value;
  return (
    <>
      <tr
        class="amending"
        data-order={order.orderId}
        onKeyDown={(event) => {
          if (event.key === "Escape") close();
          if (event.key === "Enter" && event.target instanceof HTMLInputElement) {
            event.preventDefault();
            void send();
          }
        }}
      >
        <OrderHead order={order} columns={COLUMNS} />
        <Cell column={COLUMNS.price}>
          <AmendInput label="New price" value={price} error={errors.value.price} changed={recheck} focused />
        </Cell>
        <Cell column={COLUMNS.quantity}>
          <AmendInput label="New quantity" value={quantity} error={errors.value.quantity} changed={recheck} />
        </Cell>
        <Cell column={COLUMNS.filled}>{exact(order.filledQuantity)}</Cell>
        <Cell column={COLUMNS.status}>
          <span class="status">Amending</span>
        </Cell>
        <Cell column={COLUMNS.actions} kind="actions">
          <button type="button" class="icon-button good" title="Send the change (Enter)" aria-label="Send the change" disabled={sending.value} onClick={() => void send()}>
            <Check />
          </button>
          <button type="button" class="icon-button" title="Leave it as it is (Escape)" aria-label="Leave it as it is" onClick={close}>
            <Close />
          </button>
        </Cell>
      </tr>
      {text === "" ? null : (
        <tr class="amend-problem">
          <td colSpan={Object.keys(COLUMNS).length} id="amend-problem" role="alert">
            {text}
          </td>
        </tr>
      )}
    </>
  );
}

function AmendInput({ label, value, error, changed, focused = false }: { readonly label: string; readonly value: Signal<string>; readonly error: string | undefined; readonly changed: () => void; readonly focused?: boolean }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (focused) input.current?.select();
  }, []);
  return (
    <input
      ref={input}
      class="figure amend-input"
      type="text"
      inputMode="decimal"
      autocomplete="off"
      aria-label={label}
      aria-invalid={error !== undefined}
      aria-describedby={error === undefined ? undefined : "amend-problem"}
      value={value}
      onInput={(event) => {
        value.value = event.currentTarget.value;
        changed();
      }}
    />
  );
}
