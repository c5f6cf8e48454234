/**
 * The messages of a subscription that nobody has read yet.
 *
 * A page cannot tell the venue to wait: a WebSocket of a browser takes what comes. So the queue is
 * bounded, and when it is full the subscription is given up, and ends with SLOW_CONSUMER behind what
 * is in it. Streams go on from there by number, or with a fresh snapshot; nothing is lost silently.
 */

import { StreamClosed, type TradewireError } from "./errors.js";
import { REASONS } from "./gen/annotations.js";

export class MessageQueue<Message> {
  private readonly messages: Message[] = [];
  private ended = false;
  private error: TradewireError | undefined;
  private waiting: { resolve: (result: IteratorResult<Message>) => void; reject: (error: Error) => void } | undefined;

  /** `onOver` is called once, when nothing more is wanted. */
  constructor(
    private readonly limit: number,
    private readonly onOver: () => void,
  ) {}

  push(message: Message): void {
    if (this.ended) {
      return;
    }
    const { waiting } = this;
    if (waiting !== undefined) {
      this.waiting = undefined;
      waiting.resolve({ done: false, value: message });
      return;
    }
    this.messages.push(message);
    if (this.messages.length >= this.limit) {
      this.fail(slowConsumer(this.limit));
      this.onOver();
    }
  }

  /** End after what is in it; without an error the iteration just stops. */
  fail(error: TradewireError | undefined): void {
    if (this.ended) {
      return;
    }
    this.ended = true;
    this.error = error;
    const { waiting } = this;
    this.waiting = undefined;
    if (error === undefined) {
      waiting?.resolve({ done: true, value: undefined });
    } else {
      waiting?.reject(error);
    }
  }

  /** The reader goes. */
  close(): void {
    if (!this.ended) {
      this.fail(undefined);
      this.onOver();
    }
    this.messages.length = 0;
  }

  async next(): Promise<IteratorResult<Message>> {
    const message = this.messages.shift();
    if (message !== undefined) {
      return { done: false, value: message };
    }
    if (this.ended) {
      if (this.error !== undefined) {
        throw this.error;
      }
      return { done: true, value: undefined };
    }
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
  }
}

function slowConsumer(limit: number): StreamClosed {
  return new StreamClosed(`${String(limit)} messages were not read in time`, {
    code: "RESOURCE_EXHAUSTED",
    reasonName: "SLOW_CONSUMER",
    metadata: { retryable: "true", advice: REASONS.SLOW_CONSUMER.advice },
  });
}
