import { defineConfig } from "vite";

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
});
