/** The platform's own WebSocket. */

import type { OpenSocket } from "./socket.js";

/** The closing code of one's own free will. */
const NORMAL = 1000;
/** The code of a connection that was never there, RFC 6455 7.1.5. */
const ABNORMAL = 1006;

export const openSocket: OpenSocket = (url, events) => {
  const socket = new WebSocket(url);
  let over = false;
  const closed = (code: number, reason: string): void => {
    if (!over) {
      over = true;
      events.closed(code, reason);
    }
  };
  socket.onopen = () => {
    if (!over) {
      events.opened();
    }
  };
  socket.onmessage = ({ data }) => {
    if (over) {
      return;
    }
    if (typeof data === "string") {
      events.text(data);
    } else {
      events.alive();
    }
  };
  // What failed is kept from pages; `onclose` follows.
  socket.onclose = ({ code, reason }) => {
    closed(code, reason);
  };
  return {
    send: (text) => {
      socket.send(text);
    },
    close: () => {
      socket.close(NORMAL);
      // The browser waits long for the other side's answer; nobody else has to.
      closed(ABNORMAL, "");
    },
  };
};
