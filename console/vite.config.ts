import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  // The page may be served below any path.
  base: "./",
  build: {
    outDir: "../dist/console",
    emptyOutDir: true,
    target: "es2022",
    // A page under a strict policy may carry no data in its addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
  },
});
