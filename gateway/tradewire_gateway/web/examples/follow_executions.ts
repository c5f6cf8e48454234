// Follows the account's executions without a gap, across disconnects. Needs Node 20 and a token.
// Ends after as many executions as the first argument says; without one it goes on.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const url = process.env.TRADEWIRE_URL ?? "http://127.0.0.1:8080";
const place = "executions.place";
// Heartbeats come at least every 10 seconds: twice that without a byte is a dead connection.
const SILENCE_MS = 25_000;

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
      const response = await fetch(`${url}/v1/executions:stream?afterSequence=${sequence}`, {
        headers: { authorization: `Bearer ${process.env.TRADEWIRE_TOKEN}` },
        signal: line.signal,
      });
      if (!response.ok) {
        const error = (await response.json()) as any;
        if (error.details[0].metadata.retryable !== "true") throw new RangeError(error.message);
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
