import { defineConfig } from "vitest/config";

export default defineConfig({
  // Relative addresses, so that the pages also work behind a reverse proxy's path prefix.
  base: "./",
  build: {
    outDir: "../realtime/server/static",
    emptyOutDir: true,
    target: "es2022",
    // A data: script or worker would need an exception in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ["index.html", "overlay.html"] },
  },
  worker: { format: "es" },
  server: {
    // `npm run dev` beside a running server: `realtime serve --model echo:20`.
    proxy: {
      "/api": "http://127.0.0.1:8777",
      "/rtc": "http://127.0.0.1:8777",
      "/ws": { target: "ws://127.0.0.1:8777", ws: true },
    },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
