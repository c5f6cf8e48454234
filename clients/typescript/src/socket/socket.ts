/** A WebSocket as the connection sees it, whatever stands behind it. */

/** What a socket tells. Nothing is told after `closed`. */
export interface SocketEvents {
  opened(): void;
  text(data: string): void;
  /** Something came that is no text, such as a ping: the other side lives. */
  alive(): void;
  /** It is closed, or never opened; `error` says why, where something is known. */
  closed(code: number, reason: string, error?: Error): void;
}

export interface Socket {
  send(text: string): void;
  /** End it; `closed` is told later, at the latest when the other side is found dead. */
  close(): void;
}

/** What a socket is opened with, where the platform leaves a choice. */
export interface SocketOptions {
  /** Offer permessage-deflate. Browsers always do. */
  readonly compression: boolean;
}

/** Opens a socket; other than the platform's is for tests. */
export type OpenSocket = (url: string, events: SocketEvents, options: SocketOptions) => Socket;
