/** A labelled number of the ticket: with its unit, and what is wrong with it below. */
import type { Signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";

interface NumberFieldProps {
  readonly id: string;
  readonly label: string;
  readonly unit: ComponentChildren;
  readonly value: Signal<string>;
  readonly error: string | undefined;
  readonly hint?: string | undefined;
  /** Called with the number of steps when an arrow key is pressed. */
  readonly step: (steps: number) => void;
  readonly changed: () => void;
}

export function NumberField({ id, label, unit, value, error, hint, step, changed }: NumberFieldProps): JSX.Element {
  const press = (event: KeyboardEvent): void => {
    const direction = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0;
    if (direction === 0) return;
    event.preventDefault();
    step(direction * (event.shiftKey ? 10 : 1));
  };
  return (
    <div class="field" data-invalid={error !== undefined}>
      <label for={id}>{label}</label>
      <div class="input-row">
        <input
          id={id}
          name={id}
          class="figure"
          type="text"
          inputMode="decimal"
          autocomplete="off"
          spellcheck={false}
          value={value}
          aria-invalid={error !== undefined}
          aria-describedby={`${id}-note`}
          onInput={(event) => {
            value.value = event.currentTarget.value;
            changed();
          }}
          onKeyDown={press}
        />
        <span class="unit">{unit}</span>
      </div>
      <FieldNote id={`${id}-note`} error={error} hint={hint} />
    </div>
  );
}

export function FieldNote({ id, error, hint }: { readonly id: string; readonly error: string | undefined; readonly hint?: string | undefined }): JSX.Element {
  return (
    <p id={id} class={error === undefined ? "field-note" : "field-note bad"}>
      {error ?? hint ?? ""}
    </p>
  );
}
