import type { JSX } from "preact";
import { useTerminal } from "../context.js";
import { Close } from "../parts/icons.js";

/** Messages of fills and refusals; read out as they come. The region stands from the start, or nothing would be read. */
export function Toasts(): JSX.Element {
  const { toasts } = useTerminal();
  return (
    <div
      class="toasts"
      role="log"
      aria-live="polite"
      aria-label="Messages"
      onMouseEnter={() => {
        toasts.hold();
      }}
      onMouseLeave={() => {
        toasts.release();
      }}
    >
      {toasts.shown.value.map(({ id, kind, title, text }) => (
        <div key={id} class={`toast ${kind}`}>
          <div>
            <p class="toast-title">{title}</p>
            {text === "" ? null : <p>{text}</p>}
          </div>
          <button
            type="button"
            class="icon-button"
            aria-label={`Dismiss: ${title}`}
            onClick={() => {
              toasts.dismiss(id);
            }}
          >
            <Close />
          </button>
        </div>
      ))}
    </div>
  );
}
