import { defineConfig } from "vite";

/** The package `realtime-client`: one module, without anything to install beside it. */
export default defineConfig({
  root: import.meta.dirname,
  // What the parts need of signals knows no Preact.
  resolve: { alias: { "@preact/signals": "@preact/signals-core" } },
  build: {
    lib: { entry: "../src/client/index.ts", formats: ["es"], fileName: "realtime-client" },
    target: "es2022",
    emptyOutDir: true,
  },
});
