/** The order ticket. */
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { instrumentProblem } from "../../../domain/validation.js";
import type { Instrument, Side } from "../../../domain/types.js";
import { exact } from "../../../money/format.js";
import { FIELD_ORDER, type TicketStore } from "../../../stores/ticket.js";
import { useTerminal } from "../../context.js";
import { Choice } from "../../parts/Choice.js";
import { Loaded } from "../../parts/Notice.js";
import { NumberField } from "./Field.js";
import { Holdings } from "./Holdings.js";
import { Percentages } from "./Percentages.js";
import { Summary } from "./Summary.js";
import { Terms } from "./Terms.js";

const SIDES = [
  { value: "buy", label: "Buy" },
  { value: "sell", label: "Sell" },
] as const;
const TYPES = [
  { value: "limit", label: "Limit" },
  { value: "market", label: "Market" },
] as const;

export function TicketPanel(): JSX.Element {
  const { instruments } = useTerminal();
  const instrument = instruments.current.value;
  return (
    <section class="panel ticket" aria-label="Order ticket">
      <header class="panel-head">
        <h2>Place order</h2>
        <span class="head-note">{instrument?.symbol}</span>
      </header>
      <div class="panel-body scroll">
        <Loaded
          loading={instruments.loading.value}
          what="the instruments"
          retry={() => {
            void instruments.load();
          }}
        >
          {instrument === undefined ? null : <TicketForm instrument={instrument} />}
          <Holdings />
        </Loaded>
      </div>
    </section>
  );
}

/** Puts the focus on the first field that is wrong, so that it can be corrected at once. */
function focusFirstError(form: HTMLFormElement | null, ticket: TicketStore): void {
  const errors = ticket.errors.peek();
  const first = FIELD_ORDER.find((name) => errors[name] !== undefined);
  const id = first === "quoteQuantity" ? "quantity" : first;
  if (id !== undefined) form?.querySelector<HTMLElement>(`#${id}`)?.focus();
}

function TicketForm({ instrument }: { readonly instrument: Instrument }): JSX.Element {
  const terminal = useTerminal();
  const { ticket, session, connection } = terminal;
  const form = useRef<HTMLFormElement>(null);
  const side = ticket.side.value;
  const type = ticket.type.value;
  const errors = ticket.errors.value;
  const byAmount = ticket.byAmount.value;
  const halted = instrumentProblem(instrument, ticket.postOnly.value === "off" ? "reject" : ticket.postOnly.value);
  const recheck = (): void => {
    ticket.recheck();
  };
  return (
    <form
      ref={form}
      class={`ticket-form ${side}`}
      noValidate
      aria-label="New order"
      onSubmit={(event) => {
        event.preventDefault();
        void terminal.place().then((placed) => {
          if (!placed) focusFirstError(form.current, ticket);
        });
      }}
    >
      <Choice
        name="side"
        legend="Side"
        kind="sides"
        options={SIDES}
        value={side}
        choose={(value) => {
          ticket.setSide(value);
        }}
      />
      <Choice
        name="type"
        legend="Order type"
        kind="types"
        options={TYPES}
        value={type}
        choose={(value) => {
          ticket.setType(value);
        }}
      />
      {type === "limit" ? (
        <NumberField
          id="price"
          label="Price"
          unit={instrument.quoteAsset}
          value={ticket.price}
          error={errors.price}
          step={(steps) => {
            ticket.step("price", steps);
          }}
          changed={recheck}
        />
      ) : null}
      <NumberField
        id="quantity"
        label={byAmount ? "Amount" : "Quantity"}
        unit={type === "market" ? <UnitChoice instrument={instrument} ticket={ticket} /> : instrument.baseAsset}
        value={ticket.quantity}
        error={byAmount ? errors.quoteQuantity : errors.quantity}
        step={(steps) => {
          ticket.step("quantity", steps);
        }}
        changed={recheck}
      />
      <Percentages />
      <Terms />
      <Summary instrument={instrument} />
      {ticket.problem.value || halted ? (
        <p class="problem" role="alert">
          {ticket.problem.value || halted}
        </p>
      ) : null}
      {session.canTrade ? (
        <button type="submit" class={`submit ${side}`} disabled={ticket.sending.value || !connection.isLive}>
          {submitText(side, instrument, ticket.sending.value, connection.isLive)}
        </button>
      ) : (
        <p class="problem">This key may read and not trade: sign in with one that has the scope trade.</p>
      )}
      <p class="fine">
        Step {exact(instrument.tickSize)} {instrument.quoteAsset}, lot {exact(instrument.lotSize)} {instrument.baseAsset}
      </p>
    </form>
  );
}

function submitText(side: Side, instrument: Instrument, sending: boolean, live: boolean): string {
  if (!live) return "No connection";
  return sending ? "Sending…" : `${side === "buy" ? "Buy" : "Sell"} ${instrument.baseAsset}`;
}

function UnitChoice({ instrument, ticket }: { readonly instrument: Instrument; readonly ticket: TicketStore }): JSX.Element {
  return (
    <select
      class="quiet-select"
      aria-label="Unit of the quantity"
      value={ticket.byAmount.value ? "quote" : "base"}
      onChange={(event) => {
        ticket.setByAmount(event.currentTarget.value === "quote");
      }}
    >
      <option value="base">{instrument.baseAsset}</option>
      <option value="quote">{instrument.quoteAsset}</option>
    </select>
  );
}
