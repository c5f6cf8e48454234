import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/console/",
  build: {
    target: "es2023",
    // The page's policy allows nothing inline: every asset is a file of its own.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    chunkSizeWarningLimit: 600,
  },
  // The colours are tested; tests see no other style sheet.
  test: { css: { include: /tokens\.css/ } },
});
