/** The line at the bottom: connection, sequence, limits, latency. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { count } from "../../money/format.js";
import type { Connection } from "../../venue/venue.js";
import { useApp, useTerminal } from "../context.js";

export function StatusBar(): JSX.Element {
  const { config } = useApp();
  return (
    <footer class="status-bar" aria-label="State of the connection">
      <ConnectionState />
      <SequenceState />
      <span class="spacer" />
      <OpenOrderCount />
      <LimitState />
      <Latency />
      <a class="status-item" href={config.docs}>
        API docs
      </a>
      <span class="status-item faint">{config.version}</span>
    </footer>
  );
}

const WORDS: Readonly<Record<Connection["phase"], string>> = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Reconnecting",
  ended: "Ended",
};

function ConnectionState(): JSX.Element {
  const { connection } = useTerminal();
  const state = connection.state.value;
  return (
    <span class={`status-item connection ${state.phase}`} title={"text" in state ? state.text : undefined}>
      <span class="dot" aria-hidden="true" />
      {/* The countdown is not read out second by second. */}
      <span role="status" data-testid="connection">
        {WORDS[state.phase]}
      </span>
      {state.phase === "waiting" ? <Countdown until={state.retryAt} /> : null}
      {state.phase === "ended" ? <span>: sign in again</span> : null}
    </span>
  );
}

function Countdown({ until }: { readonly until: number }): JSX.Element {
  const left = useSignal(0);
  useEffect(() => {
    const tick = (): void => {
      left.value = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    };
    tick();
    const timer = setInterval(tick, 250);
    return () => {
      clearInterval(timer);
    };
  }, [until]);
  return <span class="figure">{left.value === 0 ? "now" : `in ${left.value} s`}</span>;
}

function SequenceState(): JSX.Element {
  const { executions, connection } = useTerminal();
  const { last, missing } = executions.sequence.value;
  const resumes = connection.resumes.value;
  const after = connection.resumedAfter.value;
  return (
    <>
      <span class="status-item">
        <span class="muted">Sequence</span> <span class="figure">{last === undefined ? "\u2013" : count(last)}</span>
        {missing > 0n ? <strong class="bad"> {count(missing)} missing</strong> : null}
      </span>
      {after === undefined ? null : (
        <span class="status-item wide">
          <span class="muted">Resumed</span> {count(resumes)}× <span class="muted">last after</span>{" "}
          <span class="figure">{count(after)}</span>
        </span>
      )}
    </>
  );
}

function OpenOrderCount(): JSX.Element | null {
  const { orders, account } = useTerminal();
  const limit = account.account.value?.openOrderLimit;
  if (limit === undefined) return null;
  return (
    <span class="status-item wide">
      <span class="muted">Open orders</span>{" "}
      <span class="figure">
        {count(orders.open.value.length)}/{count(limit)}
      </span>
    </span>
  );
}

function LimitState(): JSX.Element | null {
  const { connection } = useTerminal();
  const limit = connection.limit.value;
  if (limit === undefined) return null;
  const low = limit.remaining * 5 < limit.limit;
  return (
    <span class={`status-item limit ${low ? "low" : ""}`} title="Rate limit: units left of the burst">
      <span class="muted">Limit</span>{" "}
      <span class="figure">
        {count(limit.remaining)}/{count(limit.limit)}
      </span>
      <meter aria-label="Rate limit left" min={0} max={limit.limit} low={limit.limit / 5} value={limit.remaining} />
    </span>
  );
}

function Latency(): JSX.Element | null {
  const { connection } = useTerminal();
  const latency = connection.latencyMs.value;
  if (latency === undefined) return null;
  return (
    <span class="status-item" title="Round trip of the last answer">
      <span class="muted wide">Latency</span> <span class="figure">{latency < 1 ? "<1" : latency.toFixed(0)} ms</span>
    </span>
  );
}
