/**
 * How a client is set up, and the checks of it.
 */

import type { Transport } from "@connectrpc/connect";

import { checkedOver, type Over } from "./caller.js";
import { CONNECTION_POLICY, type ConnectionPolicy } from "./connection_policy.js";
import { ConfigurationError } from "./errors.js";
import { checkFields, type FieldsOf, shown } from "./fields.js";
import type { Credentials } from "./identity.js";
import { RETRY_POLICY, type RetryPolicy } from "./retry.js";
import type { OpenSocket } from "./socket/socket.js";
import type { StreamPolicy } from "./stream.js";
import type { World } from "./world.js";

/** How a client is set up. */
export interface ClientOptions {
  /** Where the venue's REST edge is, e.g. `https://venue.example`; in a page `location.origin`. */
  readonly url: string;
  /** With what to sign in; without it only market data can be read. */
  readonly credentials?: Credentials | undefined;
  /**
   * The venue's name for itself, which is part of every signature. Unless given, the venue is asked;
   * give it where a signature must never be good for another venue.
   */
  readonly environment?: string | undefined;
  /** Over which channel calls go, unless a call says otherwise; gRPC-web unless given. */
  readonly calls?: Over | undefined;
  /** Over which channel streams go; WebSocket unless given. */
  readonly streams?: Over | undefined;
  /** Where the WebSocket is; `/v1/ws` of `url` unless given. */
  readonly socketUrl?: string | undefined;
  /** Cancel the orders placed over WebSocket when the connection ends, however it ends. */
  readonly cancelOnDisconnect?: boolean | undefined;
  /**
   * Compress what travels over WebSocket, in Node; browsers always offer it. Saves much of the volume
   * of market data, and costs both sides time for each message: not unless given.
   */
  readonly compression?: boolean | undefined;
  /** Speak in the clear to another machine, too. */
  readonly allowPlaintext?: boolean | undefined;
  /** How unary calls are repeated. */
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** How streams are watched and opened again. */
  readonly streamPolicy?: Partial<StreamPolicy> | undefined;
  /** How the WebSocket connection is kept. */
  readonly connectionPolicy?: Partial<ConnectionPolicy> | undefined;
  /** Told once per method that it will end; the console unless given. */
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Clocks and chance, for tests. */
  readonly world?: World | undefined;
  /** Carries gRPC-web, for tests. */
  readonly transport?: Transport | undefined;
  /** Opens sockets, for tests. */
  readonly openSocket?: OpenSocket | undefined;
}

export const CLIENT_OPTIONS: FieldsOf<ClientOptions> = {
  url: true,
  credentials: true,
  environment: true,
  calls: true,
  streams: true,
  socketUrl: true,
  cancelOnDisconnect: true,
  compression: true,
  allowPlaintext: true,
  retry: true,
  streamPolicy: true,
  connectionPolicy: true,
  onWarning: true,
  world: true,
  transport: true,
  openSocket: true,
};
const RETRY: FieldsOf<RetryPolicy> = namesOf(RETRY_POLICY);
const CONNECTION: FieldsOf<ConnectionPolicy> = namesOf(CONNECTION_POLICY);
const STREAM: FieldsOf<StreamPolicy> = {
  quietMs: true,
  initialBackoffMs: true,
  maximumBackoffMs: true,
  giveUpAfterMs: true,
};
const SOCKET_PATH = "/v1/ws";
const LOOPBACK = /^(localhost|127(\.[0-9]+){3}|\[::1\])$/;
const EXAMPLE = "http://127.0.0.1:8080";

/** @throws TypeError if there is an option that is none, or one is not what it has to be. */
export function checkOptions(options: ClientOptions): void {
  checkFields(options, CLIENT_OPTIONS, "options");
  const { retry = {}, streamPolicy = {}, connectionPolicy = {}, calls, streams, credentials } = options;
  checkFields(retry, RETRY, "retry");
  checkFields(streamPolicy, STREAM, "streamPolicy");
  checkFields(connectionPolicy, CONNECTION, "connectionPolicy");
  if (calls !== undefined) {
    checkedOver(calls, "calls");
  }
  if (streams !== undefined) {
    checkedOver(streams, "streams");
  }
  if (credentials !== undefined) {
    checkCredentials(credentials);
  }
}

/** @throws ConfigurationError if nobody can be spoken to there, or not in the clear. */
export function checkedUrl(text: string, allowPlaintext: boolean, name: "http" | "ws" = "http"): URL {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Said below, together with a host that looks like a scheme: `localhost:8080`.
  }
  if (url === undefined || (url.protocol !== `${name}s:` && url.protocol !== `${name}:`)) {
    const example = EXAMPLE.replace("http", name);
    throw new ConfigurationError(
      `${shown(text)}: a URL begins with ${name}s:// or ${name}://, e.g. ${example}`,
    );
  }
  if (url.protocol === `${name}:` && !allowPlaintext && !LOOPBACK.test(url.hostname)) {
    throw new ConfigurationError(
      `${text}: other machines are spoken to with ${name}s, unless allowPlaintext is set`,
    );
  }
  return url;
}

/** Where the WebSocket is: at the venue's address, unless another is given. */
export function socketUrl(url: URL, given: string | undefined, allowPlaintext: boolean): string {
  if (given !== undefined) {
    return checkedUrl(given, allowPlaintext, "ws").href;
  }
  const socket = new URL(SOCKET_PATH, url);
  socket.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return socket.href;
}

function checkCredentials(credentials: Credentials): void {
  const given = (typeof credentials === "object" ? credentials : {}) as Readonly<Record<string, unknown>>;
  const isOne =
    (typeof given["apiKey"] === "string" && typeof given["sign"] === "function") ||
    typeof given["ticket"] === "function" ||
    typeof given["token"] === "string";
  if (!isOne) {
    // Not what was given: it may be a secret.
    throw new TypeError(
      "credentials: a key (e.g. of Ed25519Key.fromPem), { ticket }, a function, or { token }, a text",
    );
  }
}

function namesOf<Type extends object>(whole: Type): FieldsOf<Type> {
  return Object.fromEntries(Object.keys(whole).map((name) => [name, true])) as FieldsOf<Type>;
}
