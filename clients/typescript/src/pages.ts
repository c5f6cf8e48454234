/** Lists that come in pages. */

/** One page and the token of the next, empty on the last. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string;
}

/** All items, fetched page by page as they are needed: `for await`, or `all()`. */
export class Pages<Item> implements AsyncIterable<Item> {
  constructor(private readonly fetch: (token: string) => Promise<Page<Item>>) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Item, undefined> {
    let token = "";
    do {
      const page = await this.fetch(token);
      yield* page.items;
      token = page.next;
    } while (token !== "");
    return undefined;
  }

  /** The first page only. */
  async first(): Promise<readonly Item[]> {
    return (await this.fetch("")).items;
  }

  /** Every item, in one array. */
  async all(): Promise<Item[]> {
    const items: Item[] = [];
    for await (const item of this) {
      items.push(item);
    }
    return items;
  }
}
