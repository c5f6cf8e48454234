/** A venue of one's own: sockets on which tests say what is answered, and when. */

import type { OpenSocket, SocketEvents } from "../src/socket/socket.js";

export interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** Answers a request, or leaves it without an answer. */
export type Handler = (request: Request, link: FakeLink) => unknown;

/** No answer. */
export const SILENCE = Symbol("silence");

/** An answer that is an error, by the fields of its status. */
export class Failure {
  constructor(readonly status: unknown) {}
}

/** A status as REST and WebSocket carry it. */
export function status(
  code: number,
  reason: string,
  metadata: Record<string, string> = {},
  fields: readonly { field: string; description: string }[] = [],
): Record<string, unknown> {
  const details: unknown[] = [
    {
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      reason,
      domain: "tradewire",
      metadata: { outcome: "refused", ...metadata },
    },
  ];
  if (fields.length > 0) {
    details.push({ "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: fields });
  }
  return { code, message: `${reason}: text of ${reason}`, details };
}

/** The venue's end of a socket. */
export class FakeLink {
  readonly received: Request[] = [];
  isOpen = true;
  private subscriptions = 0;

  constructor(
    private readonly venue: FakeVenue,
    private readonly events: SocketEvents,
  ) {}

  /** Send a message of a subscription. */
  push(method: string, subscription: number, message: unknown): void {
    this.notify(method, { subscription, message });
  }

  notify(method: string, params: unknown): void {
    this.text(JSON.stringify({ jsonrpc: "2.0", method, params }));
  }

  text(text: string): void {
    if (this.isOpen) {
      this.events.text(text);
    }
  }

  answer(id: number, body: Record<string, unknown>): void {
    this.text(JSON.stringify({ jsonrpc: "2.0", id, ...body }));
  }

  /** The number of a new subscription, as the answer to its request. */
  subscribed(): { subscription: number } {
    return { subscription: (this.subscriptions += 1) };
  }

  lose(code = 1006, reason = ""): void {
    if (this.isOpen) {
      this.isOpen = false;
      this.events.closed(code, reason);
    }
  }

  take(text: string): void {
    const request = JSON.parse(text) as Request;
    this.received.push(request);
    this.venue.requests.push(request);
    const handler = this.venue.handlers[request.method];
    // Never at once: no socket answers while it is being written to.
    queueMicrotask(() => {
      const result = handler === undefined ? SILENCE : handler(request, this);
      if (result instanceof Failure) {
        const { code } = result.status as { code: number };
        this.answer(request.id, { error: { code, message: "text", data: result.status } });
      } else if (result !== SILENCE) {
        this.answer(request.id, { result, rateLimit: { limit: "10", remaining: "9", resetMs: "5" } });
      }
    });
  }
}

export class FakeVenue {
  readonly links: FakeLink[] = [];
  readonly requests: Request[] = [];
  /** Refuses sockets while it is false. */
  isUp = true;
  readonly handlers: Record<string, Handler> = {
    "session.time": () => ({ timeMs: "1760000000000", environment: "sandbox" }),
    "session.login": () => ({
      token: "token",
      expireTime: "2099-01-01T00:00:00Z",
      account: "alice",
      scopes: ["SCOPE_READ", "SCOPE_TRADE"],
    }),
    "connection.configure": ({ params }) => params,
    "subscription.cancel": () => ({}),
  };

  /** The socket that is in use. */
  get link(): FakeLink {
    const link = this.links.at(-1);
    if (link === undefined) {
      throw new Error("nobody has connected");
    }
    return link;
  }

  readonly openSocket: OpenSocket = (_, events) => {
    const link = new FakeLink(this, events);
    if (!this.isUp) {
      queueMicrotask(() => {
        link.lose();
      });
      return { send: () => undefined, close: () => undefined };
    }
    this.links.push(link);
    queueMicrotask(() => {
      if (link.isOpen) {
        events.opened();
      }
    });
    return {
      send: (text) => {
        if (link.isOpen) {
          link.take(text);
        }
      },
      close: () => {
        link.lose(1000);
      },
    };
  };

  /** The parameters of each request for a method. */
  asked(method: string): Record<string, unknown>[] {
    return this.requests.filter((each) => each.method === method).map((each) => each.params);
  }
}
