/** Work in the beat of the screen: between two frames nobody sees a change. */

/** A page that is not looked at has no frames: nothing waits longer than this. */
const HIDDEN_MS = 100;

function schedule(work: () => void): void {
  const run = (): void => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    work();
  };
  const frame = requestAnimationFrame(run);
  const timer = setTimeout(run, HIDDEN_MS);
}

export function nextFrame(): Promise<void> {
  return new Promise(schedule);
}

/** Gathers items and hands them on together with the next frame, in their order. */
export class Gathered<Item> {
  #items: Item[] = [];

  constructor(private readonly handOn: (items: readonly Item[]) => void) {}

  add(item: Item): void {
    this.#items.push(item);
    if (this.#items.length === 1) {
      schedule(() => {
        this.flush();
      });
    }
  }

  /** Hands on at once what was gathered. */
  flush(): void {
    const items = this.#items;
    this.#items = [];
    if (items.length > 0) this.handOn(items);
  }
}
