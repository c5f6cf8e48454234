/** Reads what the server says of itself and shows the first page. */
import { render } from "preact";
import { App, type PageConfig } from "./stores/app.js";
import { Root } from "./ui/Root.js";
import { SdkVenue } from "./venue/sdk/venue.js";
import type { Venue } from "./venue/venue.js";

interface ServerConfig extends PageConfig {
  readonly webSocket: string;
}

const FIXTURE: ServerConfig = { environment: "fixture", version: "0.0.0", demo: true, docs: "/docs", webSocket: "" };

/** In development `?fixture` shows an invented venue. */
async function fixture(): Promise<(() => Venue) | undefined> {
  if (!import.meta.env.DEV || !new URLSearchParams(location.search).has("fixture")) return undefined;
  const { FixtureVenue } = await import("./venue/fixture/fixture.js");
  return () => new FixtureVenue();
}

async function readConfig(): Promise<ServerConfig> {
  const response = await fetch("config.json", { headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(`The venue answered with ${response.status}`);
  return (await response.json()) as ServerConfig;
}

function explain(root: Element, error: unknown): void {
  const line = document.createElement("p");
  line.className = "boot";
  line.setAttribute("role", "alert");
  line.textContent = `The terminal could not start: ${error instanceof Error ? error.message : "unknown"}. Reload the page to try again.`;
  root.replaceChildren(line);
}

async function start(root: Element): Promise<void> {
  const makeFixture = await fixture();
  const config = makeFixture === undefined ? await readConfig() : FIXTURE;
  const makeVenue = makeFixture ?? (() => new SdkVenue({ origin: location.origin, webSocket: config.webSocket, environment: config.environment }));
  root.replaceChildren();
  render(<Root app={new App(config, makeVenue)} />, root);
}

const root = document.getElementById("app");
if (root !== null) {
  start(root).catch((error: unknown) => {
    explain(root, error);
  });
}
