/** The WebSocket of the package `ws`, for Node: it tells of pings, and why a connection was refused. */

import { WebSocket } from "ws";

import type { OpenSocket } from "./socket.js";

const NORMAL = 1000;
const ABNORMAL = 1006;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const CLOSE_TIMEOUT_MS = 1_000;
// The contract bounds what the venue sends far below.
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

export const openSocket: OpenSocket = (url, events, { compression }) => {
  const socket = new WebSocket(url, {
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: compression,
  });
  let failure: Error | undefined;
  let over = false;
  const closed = (code: number, reason: string): void => {
    if (!over) {
      over = true;
      events.closed(code, reason, failure);
    }
  };
  socket.on("open", () => {
    if (!over) {
      events.opened();
    }
  });
  socket.on("message", (data, isBinary) => {
    if (over) {
      return;
    }
    if (isBinary || !Buffer.isBuffer(data)) {
      events.alive();
    } else {
      events.text(data.toString("utf8"));
    }
  });
  socket.on("ping", () => {
    if (!over) {
      events.alive();
    }
  });
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", (code, reason) => {
    closed(code, reason.toString("utf8"));
  });
  return {
    send: (text) => {
      socket.send(text);
    },
    close: () => {
      socket.close(NORMAL);
      closed(ABNORMAL, "");
      // A dead link answers nothing.
      setTimeout(() => {
        socket.terminate();
      }, CLOSE_TIMEOUT_MS).unref();
    },
  };
};
