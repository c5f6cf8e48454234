// Follows the account's executions without a gap, across disconnects and restarts of the venue.
// Needs Node 20, TRADEWIRE_API_KEY and the key's file.
// Ends after as many executions as the first argument says; without one it goes on.
import { createPrivateKey, randomBytes, sign } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const environment = process.env.TRADEWIRE_ENVIRONMENT ?? "sandbox";
const keyFile = process.env.TRADEWIRE_KEY_FILE ?? "tradewire.pem";
const privateKey = createPrivateKey(readFileSync(keyFile));
const place = "executions.place";
// Heartbeats come at least every 10 seconds: twice that without a byte is a dead connection.
const SILENCE_MS = 25_000;

let token = "";
let renewAt = 0;

/**
 * Sends with a token that is renewed before it ends, and when the venue does not know it any more:
 * tokens end with the process of the venue, so after its restart there has to be a new session.
 */
async function send(path: string, request: RequestInit): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    if (performance.now() >= renewAt) {
      const answer = await signIn(request.signal);
      if (answer.status === 401 && attempt < 3) {
        await new Promise((resume) => setTimeout(resume, 1_000));
        continue; // a venue takes no signature from its first second
      }
      if (!answer.ok) return answer; // and the caller sees why
      token = ((await answer.json()) as any).token;
      renewAt = performance.now() + 14 * 60_000; // tokens are good for 15 minutes
    }
    const headers = { ...request.headers, authorization: `Bearer ${token}` };
    const response = await fetch(url + path, { ...request, headers });
    if (response.status !== 401 || attempt === 3) return response;
    renewAt = 0;
  }
}

async function signIn(signal?: AbortSignal | null): Promise<Response> {
  const timestampMs = String(Date.now());
  const nonce = randomBytes(24).toString("base64url");
  const toSign = ["TRADEWIRE-V1", environment, timestampMs, nonce, "SESSION"].join("\n");
  const signature = sign(null, Buffer.from(toSign), privateKey).toString("base64url");
  return fetch(`${url}/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      signature: { apiKey: process.env.TRADEWIRE_API_KEY, timestampMs, nonce, signature },
    }),
    signal,
  });
}

/** Gives the objects of a stream of server-sent events. */
async function* events(response: Response, quiet: () => void): AsyncGenerator<any> {
  let rest = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    quiet();
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.startsWith("data:")) yield JSON.parse(line.slice(5));
  }
}

async function follow(left: number): Promise<void> {
  let sequence = existsSync(place) ? BigInt(readFileSync(place, "utf8")) : 0n;
  for (;;) {
    const line = new AbortController();
    let timer = setTimeout(() => line.abort(), SILENCE_MS);
    const quiet = () => {
      clearTimeout(timer);
      timer = setTimeout(() => line.abort(), SILENCE_MS);
    };
    try {
      const response = await send(`/v1/executions:stream?afterSequence=${sequence}`, {
        signal: line.signal,
      });
      if (!response.ok) {
        const error = (await response.json()) as any;
        if (error.details[0].metadata.retryable !== "true") throw new RangeError(error.message);
        console.error(error.message);
      } else {
        for await (const event of events(response, quiet)) {
          for (const execution of event.batch?.executions ?? []) {
            // Numbers of 64 bits are strings in JSON: BigInt holds all of them.
            const number = BigInt(execution.sequence);
            if (number !== sequence + 1n) throw new RangeError("a gap: a fault of the venue");
            console.log(String(number), execution.type, execution.order.clientOrderId);
            sequence = number;
            writeFileSync(place, String(sequence));
            if (--left === 0) return line.abort();
          }
          if (event.closing) console.error(event.closing.status.message);
        }
      }
    } catch (error) {
      if (error instanceof RangeError) throw error;
      console.error(`${error}: going on after ${sequence}`);
    } finally {
      clearTimeout(timer);
    }
    await new Promise((resume) => setTimeout(resume, 1000));
  }
}

await follow(Number(process.argv[2] ?? -1));
