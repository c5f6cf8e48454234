/** Cancels everything, after one question. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useLayout, useTerminal } from "../../context.js";

/** Takes a keyboard to a place when the button it was at is gone. */
function keepFocus(place: string): void {
  requestAnimationFrame(() => {
    if (document.activeElement === document.body) document.querySelector<HTMLElement>(place)?.focus();
  });
}

export function CancelAll(): JSX.Element | null {
  const terminal = useTerminal();
  const layout = useLayout();
  const confirm = useRef<HTMLButtonElement>(null);
  const count = terminal.orders.open.value.length;
  const asking = layout.confirmingCancel.value && count > 0;
  useEffect(() => {
    if (asking) confirm.current?.focus();
  }, [asking]);
  const stop = (): void => {
    layout.confirmingCancel.value = false;
    keepFocus(".lower button.head-action");
  };
  if (count === 0 || !terminal.session.canTrade) return null;
  if (!asking) {
    return (
      <button
        type="button"
        class="button small danger head-action"
        onClick={() => {
          layout.confirmingCancel.value = true;
        }}
      >
        Cancel all
      </button>
    );
  }
  return (
    <div
      class="confirm head-action"
      role="group"
      aria-label="Cancel all orders?"
      onKeyDown={(event) => {
        if (event.key === "Escape") stop();
      }}
    >
      <button
        ref={confirm}
        type="button"
        class="button small danger solid"
        onClick={() => {
          layout.confirmingCancel.value = false;
          void terminal.cancelAll().then(() => {
            keepFocus("#lower-panel");
          });
        }}
      >
        {count === 1 ? "Cancel 1 order" : `Cancel ${count} orders`}
      </button>
      <button type="button" class="button small" onClick={stop}>
        Keep
      </button>
    </div>
  );
}
