/** Clients of fakes. */

import { Client, type ClientOptions, type Key } from "../src/index.js";
import { FakeVenue } from "./fake_venue.js";
import { FakeWorld } from "./fake_world.js";

/** A key that signs at once: WebCrypto takes real time, and in these tests there is none. */
const KEY: Key = { apiKey: "key", sign: () => Promise.resolve(new Uint8Array(32)) };

export interface Floor {
  readonly client: Client;
  readonly venue: FakeVenue;
  readonly world: FakeWorld;
}

/** A client whose calls and streams go over a WebSocket to a venue of the test's own. */
export function floor(options: Partial<ClientOptions> = {}): Floor {
  const [venue, world] = [new FakeVenue(), new FakeWorld()];
  const client = new Client({
    url: "http://127.0.0.1:1",
    credentials: KEY,
    calls: "websocket",
    world,
    openSocket: venue.openSocket,
    ...options,
  });
  return { client, venue, world };
}

/** An order as the venue answers it. */
export function placed(clientOrderId: unknown): Record<string, unknown> {
  return {
    order: { orderId: "7", clientOrderId, symbol: "BTC-USD", status: "ORDER_STATUS_NEW" },
    asOfSequence: "1",
  };
}

export const LIMIT = {
  symbol: "BTC-USD",
  side: "buy",
  type: "limit",
  quantity: "0.1",
  price: "100",
} as const;
