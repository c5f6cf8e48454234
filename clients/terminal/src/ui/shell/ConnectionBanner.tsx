/** Says above everything else that what is shown is old, or that the connection will not come back. */
import type { JSX } from "preact";
import { useApp, useTerminal } from "../context.js";

export function ConnectionBanner(): JSX.Element | null {
  const app = useApp();
  const { connection } = useTerminal();
  const state = connection.state.value;
  if (state.phase === "live") return null;
  if (state.phase !== "ended") {
    return <p class="banner">The connection is being restored: prices and orders below are as they were.</p>;
  }
  return (
    <div class="banner ended" role="alert">
      <p>The connection has ended. {state.text}</p>
      <button type="button" class="button small" onClick={() => void app.signOut()}>
        Sign in again
      </button>
    </div>
  );
}
