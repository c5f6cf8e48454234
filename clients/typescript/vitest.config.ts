import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

export default defineConfig({
  test: { include: ["tests/**/*.test.ts"], testTimeout: 20_000 },
  resolve: {
    // What package.json chooses by condition among the built files.
    alias: { "#files": source("files/node.ts"), "#socket": source("socket/node.ts") },
  },
});
