/** A native dialog: the browser keeps the focus in it and closes it with Escape. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Dialog({
  label,
  kind,
  close,
  children,
}: {
  readonly label: string;
  readonly kind: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${kind}`}
      aria-label={label}
      onClose={close}
      onClick={(event) => {
        // What is beside the content is the backdrop.
        if (event.target === dialog.current) close();
      }}
    >
      <div class="dialog-content">{children}</div>
    </dialog>
  );
}
