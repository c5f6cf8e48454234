/** Tabs with arrow keys, as WAI-ARIA describes them. */
import type { ComponentChildren, JSX } from "preact";

export interface TabItem<Name extends string> {
  readonly name: Name;
  readonly label: string;
  readonly badge?: string | undefined;
}

interface TabsProps<Name extends string> {
  readonly id: string;
  readonly label: string;
  readonly items: readonly TabItem<Name>[];
  readonly chosen: Name;
  readonly choose: (name: Name) => void;
}

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1 };

export function Tabs<Name extends string>({ id, label, items, chosen, choose }: TabsProps<Name>): JSX.Element {
  const move = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    const here = items.findIndex(({ name }) => name === chosen);
    const next = items[(here + step + items.length) % items.length];
    if (next === undefined) return;
    event.preventDefault();
    choose(next.name);
    document.getElementById(`${id}-${next.name}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {items.map(({ name, label: text, badge }) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`${id}-${name}`}
          class="tab"
          aria-selected={name === chosen}
          aria-controls={`${id}-panel`}
          tabIndex={name === chosen ? 0 : -1}
          onClick={() => {
            choose(name);
          }}
        >
          {text}
          {badge === undefined ? null : <span class="badge">{badge}</span>}
        </button>
      ))}
    </div>
  );
}

export function TabPanel({ id, chosen, children }: { readonly id: string; readonly chosen: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div class="tab-panel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`} tabIndex={0}>
      {children}
    </div>
  );
}
