/**
 * How the modules of `src` may hang together: imports go down, never in a circle, and a name means one thing.
 *
 * Types count as well: whoever changes a type changes those who import it.
 */

import { describe, expect, test } from "vitest";

/**
 * From the top down. Those of one line don't import each other; the modules of one folder may, without a circle.
 * A folder that isn't named belongs to the one around it.
 */
const LAYERS = [
  ["main.tsx", "remote", "client"],
  ["overlay"],
  ["page"],
  ["page/draw", "page/input", "page/output", "page/measurements", "page/settings", "page/show"],
  ["page/widgets"],
  ["studio"],
  ["vj", "keep"],
  ["looks", "program"],
  ["sending", "receiving"],
  ["connection", "params", "sources"],
  ["draw", "notes.ts", "problems.ts"],
  ["languages"],
  ["browser", "protocol.ts"],
];

/** What each module imports, by its path in `src`. */
type Graph = ReadonlyMap<string, readonly string[]>;

const ROOT = "../src/";
const sources = import.meta.glob<string>("../src/**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true });
const files = new Set(Object.keys(import.meta.glob("../src/**/*")).map((path) => path.slice(ROOT.length)));
const modules = Object.entries(sources).map(([path, text]) => [path.slice(ROOT.length), text] as const);

/** Every text that begins like a relative path is an import: static, dynamic, of a type, of a worker. */
function importsOf(path: string, text: string): string[] {
  const folder = path.split("/").slice(0, -1);
  return [...text.matchAll(/(["'`])(\.{1,2}\/.*?)(?:\?url)?\1/g)].map(([, , specifier = ""]) => {
    const parts = [...folder];
    for (const part of specifier.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== ".") parts.push(part);
    }
    const place = parts.join("/");
    const found = [place, `${place}.ts`, `${place}.tsx`].find((each) => files.has(each));
    if (!found) throw new Error(`${path} imports ${specifier}, which isn't there`);
    return found;
  });
}

/** A circle of imports, from a module back to it; empty where there is none. */
function circleIn(graph: Graph): string[] {
  const cleared = new Set<string>();
  const follow = (module: string, way: readonly string[]): string[] => {
    if (way.includes(module)) return [...way.slice(way.indexOf(module)), module];
    if (cleared.has(module)) return [];
    for (const next of graph.get(module) ?? []) {
      const circle = follow(next, [...way, module]);
      if (circle.length > 0) return circle;
    }
    cleared.add(module);
    return [];
  };
  return [...graph.keys()].map((module) => follow(module, [])).find((circle) => circle.length > 0) ?? [];
}

/** The named folder or file that a module belongs to: the innermost one. Undefined where none is. */
function placeOf(path: string, layers: readonly string[][]): string | undefined {
  const around = (place: string) => path === place || path.startsWith(`${place}/`);
  return layers.flat().filter(around).sort((a, b) => b.length - a.length)[0];
}

/** Imports that go up, or sideways. */
function wrongWays(graph: Graph, layers: readonly string[][]): string[] {
  const depth = (place: string | undefined) => layers.findIndex((layer) => place !== undefined && layer.includes(place));
  return [...graph].flatMap(([path, imports]) => {
    const from = placeOf(path, layers);
    const isWrong = (target: string) => {
      const to = placeOf(target, layers);
      return from !== to && depth(from) >= depth(to);
    };
    return imports.filter(isWrong).map((target) => `${path} → ${target}`);
  });
}

/** Names of classes, types and components that more than one module declares. */
function namesUsedTwice(texts: Iterable<readonly [string, string]>): string[] {
  const declaredIn = new Map<string, Set<string>>();
  const declaration = /^(?:export )?(?:abstract |declare |async )*(?:class|interface|type|enum|function|const|let) ([A-Z]\w*)/gm;
  for (const [path, text] of texts) {
    for (const [, name = ""] of text.matchAll(declaration)) {
      // A constant in capitals is its module's own.
      if (/^[A-Z][A-Z\d_]+$/.test(name)) continue;
      declaredIn.set(name, (declaredIn.get(name) ?? new Set()).add(path));
    }
  }
  return [...declaredIn].filter(([, paths]) => paths.size > 1).map(([name, paths]) => `${name}: ${[...paths].join(", ")}`);
}

const graph: Graph = new Map(modules.map(([path, text]) => [path, importsOf(path, text)]));

describe("the page's modules", () => {
  test("belong to a layer each", () => {
    expect(modules.map(([path]) => path).filter((path) => placeOf(path, LAYERS) === undefined)).toEqual([]);
  });

  test("import downwards only", () => {
    expect(wrongWays(graph, LAYERS)).toEqual([]);
  });

  test("import each other in no circle", () => {
    expect(circleIn(graph)).toEqual([]);
  });

  test("use a name for one thing", () => {
    expect(namesUsedTwice(modules)).toEqual([]);
  });
});

describe("what would be wrong is found", () => {
  test("imports of every kind", () => {
    const text = `
      import "./main";
      import type { A } from "./page/app";
      export { b } from './protocol';
      const c = import("./vj/show");
      new Worker(new URL("./sending/encoder.worker.ts", import.meta.url));
    `;
    const found = ["main.tsx", "page/app.tsx", "protocol.ts", "vj/show.ts", "sending/encoder.worker.ts"];
    expect(importsOf("any.ts", text)).toEqual(found);
    expect(() => importsOf("any.ts", 'import "./nothing"')).toThrow("nothing");
  });

  test("a circle", () => {
    const round = { a: ["b"], b: ["c", "d"], c: [], d: ["e"], e: ["b"] };
    expect(circleIn(new Map(Object.entries(round)))).toEqual(["b", "d", "e", "b"]);
    expect(circleIn(new Map(Object.entries({ ...round, e: ["c"] })))).toEqual([]);
  });

  test("a way up and a way aside", () => {
    const layers = [["a"], ["a/inner", "b"], ["c"]];
    const imports = { "a/x": ["a/inner/x", "a/y", "c/x"], "a/inner/x": ["a/y", "b/x", "c/x"], "c/x": ["a/inner/x"] };
    expect(wrongWays(new Map(Object.entries(imports)), layers)).toEqual([
      "a/inner/x → a/y",
      "a/inner/x → b/x",
      "c/x → a/inner/x",
    ]);
  });

  test("a name with two meanings", () => {
    const texts = [
      ["a.ts", "export class Layer {}\nconst SPAN_MS = 1;\ninterface Only {}"],
      ["b.ts", "type Layer = 1;\nconst SPAN_MS = 2;\nfunction Panes() {}"],
    ] as const;
    expect(namesUsedTwice(texts)).toEqual(["Layer: a.ts, b.ts"]);
  });
});
