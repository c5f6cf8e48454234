/** What stands where there is nothing yet: it loads, it is empty, or it failed. */
import type { ComponentChildren, JSX } from "preact";
import type { Loading } from "../../stores/loading.js";

export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }): JSX.Element {
  return (
    <div class="notice">
      <p class="notice-title">{title}</p>
      {children === undefined ? null : <p>{children}</p>}
    </div>
  );
}

/** Shows its children once they are ready; until then grey lines, or why not, and a way to try again. */
export function Loaded({
  loading,
  what,
  retry,
  children,
}: {
  readonly loading: Loading;
  readonly what: string;
  readonly retry?: (() => void) | undefined;
  readonly children: ComponentChildren;
}): JSX.Element {
  if (loading.phase === "ready") return <>{children}</>;
  if (loading.phase === "loading") {
    return (
      <div class="skeleton" role="status">
        <span class="unseen">Loading {what}</span>
        {Array.from({ length: 6 }, (_, index) => (
          <span key={index} class="skeleton-line" />
        ))}
      </div>
    );
  }
  return (
    <div class="notice" role="alert">
      <p class="notice-title">Could not load {what}</p>
      <p>{loading.text}</p>
      {retry === undefined ? null : (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}
