/**
 * What `tradewire up` leaves in its data directory: where the venue is, and keys of its accounts.
 */

import { readText } from "#files";

import { CLIENT_OPTIONS, type ClientOptions } from "./client_options.js";
import { ConfigurationError } from "./errors.js";
import { checkFields, type FieldsOf } from "./fields.js";
import { type KeyEntry, keyFromEntry } from "./keys.js";

/** How a client of the demo venue is set up; all else is known from its files. */
export interface DemoOptions extends Partial<ClientOptions> {
  /** The venue's data directory (`--data-dir` of `tradewire up`), `.tradewire` unless given. */
  readonly directory?: string | undefined;
  /** Which account, `demo-1` unless given. */
  readonly account?: string | undefined;
}

interface Demo {
  readonly environment: string;
  readonly accounts: readonly (KeyEntry & { readonly account: string })[];
}

const DEMO_OPTIONS: FieldsOf<DemoOptions> = { directory: true, account: true, ...CLIENT_OPTIONS };

/**
 * The options of a client, with what the files say.
 *
 * @throws TypeError if there is an option that is none.
 * @throws ConfigurationError if the files are not there or not what `tradewire up` writes, or there is
 *   no such account.
 */
export async function demoOptions(options: DemoOptions): Promise<ClientOptions> {
  checkFields(options, DEMO_OPTIONS, "options");
  const { directory = ".tradewire", account = "demo-1", ...others } = options;
  const path = `${directory}/demo.json`;
  const demo = readDemo(path, await readWritten(path));
  const { rest } = parsed<{ readonly rest: string | null }>(
    `${directory}/venue.json`,
    await readWritten(`${directory}/venue.json`),
  );
  if (typeof rest !== "string" && others.url === undefined) {
    throw new ConfigurationError(`${directory}: the venue runs without Envoy, so it has no REST edge`);
  }
  const entry = demo.accounts.find((each) => each.account === account);
  if (entry === undefined) {
    const names = demo.accounts.map((each) => each.account).join(", ");
    throw new ConfigurationError(`${path}: no account ${JSON.stringify(account)}, there are ${names}`);
  }
  return {
    url: rest ?? "",
    environment: demo.environment,
    credentials: await keyFromEntry(entry),
    ...others,
  };
}

async function readWritten(path: string): Promise<string> {
  try {
    return await readText(path);
  } catch (cause) {
    if (cause instanceof ConfigurationError) {
      throw cause;
    }
    const why = (cause as { readonly code?: string }).code === "ENOENT" ? "is not there" : "cannot be read";
    throw new ConfigurationError(
      `${path} ${why}. \`tradewire up\` writes it into .tradewire of the folder in which it is started; ` +
        'from elsewhere say where that is: Client.fromDemo({ directory: "/path/to/.tradewire" })',
      { cause },
    );
  }
}

function readDemo(path: string, text: string): Demo {
  const { environment, accounts } = parsed<Demo>(path, text);
  if (typeof environment !== "string" || !Array.isArray(accounts)) {
    throw new ConfigurationError(`${path}: not written by \`tradewire up\``);
  }
  return { environment, accounts: accounts as Demo["accounts"] };
}

function parsed<Content>(path: string, text: string): Partial<Content> {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === "object" && content !== null ? content : {};
  } catch (cause) {
    throw new ConfigurationError(`${path}: not JSON`, { cause });
  }
}
