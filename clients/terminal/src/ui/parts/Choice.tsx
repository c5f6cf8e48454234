/** One of a few: radio buttons that look like one control. Arrow keys work by themselves. */
import type { JSX } from "preact";

interface ChoiceProps<Value extends string> {
  readonly name: string;
  readonly legend: string;
  readonly options: readonly { readonly value: Value; readonly label: string }[];
  readonly value: Value;
  readonly choose: (value: Value) => void;
  readonly kind?: string;
}

export function Choice<Value extends string>({ name, legend, options, value, choose, kind = "" }: ChoiceProps<Value>): JSX.Element {
  return (
    <fieldset class={`choice ${kind}`}>
      <legend class="unseen">{legend}</legend>
      {options.map((option) => (
        <label key={option.value} data-value={option.value}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => {
              choose(option.value);
            }}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
