/** There are no files in a page. */

import { ConfigurationError } from "../errors.js";

export function readText(path: string): Promise<string> {
  return Promise.reject(new ConfigurationError(`${path}: there are no files in a page`));
}
