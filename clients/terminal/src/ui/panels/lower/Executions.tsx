/** The account's executions: numbered without a gap, and watched that they are. */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { reasonWords } from "../../../domain/reasons.js";
import type { Execution, ExecutionType } from "../../../domain/types.js";
import { amount, count, dateAndTime, exact, timeOfDay } from "../../../money/format.js";
import { useTerminal } from "../../context.js";
import { Empty, Loaded } from "../../parts/Notice.js";
import { SideLabel } from "../../parts/SideLabel.js";
import { Cell, Table } from "../../parts/Table.js";
import { priceText, quantityText } from "./columns.js";

const COLUMNS = {
  sequence: { name: "Sequence", figure: true },
  time: { name: "Time" },
  symbol: { name: "Instrument" },
  type: { name: "Event" },
  side: { name: "Side" },
  price: { name: "Price", figure: true },
  quantity: { name: "Quantity", figure: true },
  fee: { name: "Fee", figure: true, minor: true },
  order: { name: "Order", figure: true, minor: true },
} as const;

/** So many rows are quick to change while orders fly. */
export const ROWS_AT_ONCE = 150;

const TYPE_WORDS: Readonly<Record<ExecutionType, string>> = {
  new: "Accepted",
  trade: "Trade",
  canceled: "Canceled",
  replaced: "Amended",
  rejected: "Rejected",
  expired: "Expired",
  restated: "Restated",
};

export function Executions(): JSX.Element {
  const { executions } = useTerminal();
  const shown = useSignal(ROWS_AT_ONCE);
  const list = executions.list.value;
  return (
    <>
      <SequenceLine />
      <Loaded
        loading={executions.loading.value}
        what="your executions"
        retry={() => {
          executions.open();
        }}
      >
        {list.length === 0 && !executions.loadingOlder.value ? (
          <Empty title="No executions yet">Everything that happens to your orders stands here, numbered from 1.</Empty>
        ) : (
          <Table label="Executions" columns={Object.values(COLUMNS)}>
            {list.slice(0, shown.value).map((execution) => (
              <ExecutionRow key={execution.sequence} execution={execution} />
            ))}
          </Table>
        )}
        <MoreButton shown={shown} count={list.length} />
      </Loaded>
    </>
  );
}

/** Says where the sequence is, whether anything is missing, and how often the stream went on. */
function SequenceLine(): JSX.Element {
  const { executions, connection } = useTerminal();
  const { last, missing } = executions.sequence.value;
  const resumes = connection.resumes.value;
  const after = connection.resumedAfter.value;
  return (
    <dl class="sequence-line" aria-label="State of the sequence">
      <div>
        <dt>Account sequence</dt>
        <dd class="figure" data-testid="sequence">
          {last === undefined ? "\u2013" : count(last)}
        </dd>
      </div>
      <div class={missing > 0n ? "bad" : ""}>
        <dt>Missing</dt>
        <dd class="figure" data-testid="missing">
          {count(missing)}
        </dd>
      </div>
      <div>
        <dt>Resumed</dt>
        <dd class="figure">
          <span data-testid="resumes">{count(resumes)}</span>
          {after === undefined ? null : <span class="muted"> · last after {count(after)}</span>}
        </dd>
      </div>
    </dl>
  );
}

/** Shows more rows of what is there, and fetches older executions when all of it is shown. */
export function MoreButton({ shown, count: known }: { readonly shown: Signal<number>; readonly count: number }): JSX.Element | null {
  const { executions } = useTerminal();
  const oldest = executions.oldest.value;
  const hidden = known > shown.value;
  if (!hidden && (oldest === undefined || oldest <= 1n)) return null;
  const loading = executions.loadingOlder.value;
  const more = (): void => {
    shown.value += ROWS_AT_ONCE;
    if (!hidden) void executions.older();
  };
  return (
    <p class="more">
      <button type="button" class="button small" disabled={loading} onClick={more}>
        {loading ? "Loading…" : "Show more"}
      </button>
    </p>
  );
}

function ExecutionRow({ execution }: { readonly execution: Execution }): JSX.Element {
  const { instruments } = useTerminal();
  const { order, type, sequence, time, lastPrice, lastQuantity, lastFee, liquidity, reason } = execution;
  const instrument = instruments.find(order.symbol);
  const traded = type === "trade";
  const extra = traded ? (liquidity ?? "") : reasonWords(reason);
  return (
    <tr data-sequence={String(sequence)}>
      <Cell column={COLUMNS.sequence}>{count(sequence)}</Cell>
      <Cell column={COLUMNS.time} title={dateAndTime(time)}>
        <span class="figure">{timeOfDay(time)}</span>
      </Cell>
      <Cell column={COLUMNS.symbol} kind="lead">
        {order.symbol}
      </Cell>
      <Cell column={COLUMNS.type}>
        <span class={`status ${traded ? "filled" : type}`}>{TYPE_WORDS[type]}</span>
        {extra === "" ? null : <span class="muted"> {extra}</span>}
      </Cell>
      <Cell column={COLUMNS.side}>
        <SideLabel side={order.side} />
      </Cell>
      <Cell column={COLUMNS.price}>{priceText(traded ? lastPrice : order.price, instrument)}</Cell>
      <Cell column={COLUMNS.quantity}>{traded ? exact(lastQuantity ?? "0") : quantityText(order, instrument)}</Cell>
      <Cell column={COLUMNS.fee} title={lastFee}>
        {lastFee === undefined ? "\u2013" : amount(lastFee, instrument?.quoteAsset ?? "")}
      </Cell>
      <Cell column={COLUMNS.order} kind="muted">
        {order.orderId}
      </Cell>
    </tr>
  );
}
