import { brotliCompressSync, constants } from "node:zlib";
import * as zopfli from "@gfx/zopfli";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Puts compressed copies beside each script and style: the server has no time to compress while it serves frames. */
const compressed: Plugin = {
  name: "compressed",
  apply: "build",
  generateBundle: {
    order: "post",
    async handler(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (!/^assets\/.*\.(js|css)$/.test(file.fileName)) continue;
        const content = new TextEncoder().encode(file.type === "chunk" ? file.code : String(file.source));
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
        // Zopfli makes a gzip file that is 3 % smaller than the best of zlib; further iterations gain 0.03 %.
        const copies = {
          br: brotliCompressSync(content, { params }),
          gz: await zopfli.gzipAsync(content, { numiterations: 5 }),
        };
        for (const [ending, source] of Object.entries(copies)) {
          // Of a few bytes it would be larger.
          if (source.length < content.length) this.emitFile({ type: "asset", fileName: `${file.fileName}.${ending}`, source });
        }
      }
    },
  },
};

/** Vite wraps each dynamic import in a loader of what it needs beside itself; here the page has all of that already. */
const withoutPreload: Plugin = {
  name: "without-preload",
  enforce: "pre",
  load: (id) => (id.endsWith("vite/preload-helper.js") ? "export const __vitePreload = (load) => load();" : null),
};

export default defineConfig({
  plugins: [compressed, withoutPreload],
  // Relative addresses, so that the pages also work behind a reverse proxy's path prefix.
  base: "./",
  build: {
    outDir: "../realtime/server/static",
    emptyOutDir: true,
    target: "es2022",
    // A data: script or worker would need an exception in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: false,
    rollupOptions: {
      input: ["index.html", "overlay.html", "remote.html"],
      // What the page loads at first is one piece, which is smaller on the wire than the pieces that its parts share.
      output: {
        codeSplitting: {
          groups: [
            { name: "shared", test: /\/(beside|clock|keyed|style_sheet|video_frames|thumbnail|protocol|languages\/languages|looks\/(look|blend))\.ts$/, priority: 1 },
            { name: "overlay-parts", test: /\/overlay\/(picture_canvas|socket|viewer)\.ts$/ },
            { name: "page", test: /\/main\.tsx$/ },
            { name: "show", test: /\/(vj|page\/show)\// },
            { name: "drawing", test: /\/src\/(draw\/\w+|sources\/canvas|page\/draw\/\w+)\.tsx?$/ },
            { name: "decks", test: /\/src\/(page\/input\/(decks_bar|clips|trim_bar)|studio\/(decks|fader_there)|sources\/(decks|fader))\.tsx?$/ },
            { name: "sheets", test: /\/src\/page\/(sheets|options|loras|send_to)\.tsx?$/ },
          ],
        },
      },
    },
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
  // The test files share their modules, which takes a fifth of the time. What a test stubs ends with it.
  test: { include: ["tests/**/*.test.ts"], environment: "node", setupFiles: ["tests/words.ts"], isolate: false, unstubGlobals: true },
});
