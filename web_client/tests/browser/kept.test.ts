import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { flag, kept, recall, remember, unkept } from "../../src/browser/kept";

const forbidden = () => {
  throw new DOMException("Access is denied for this document.", "SecurityError");
};

let texts: Map<string, string>;
let isFull: boolean;

beforeEach(() => {
  texts = new Map();
  isFull = false;
  const storage = {
    getItem: (name: string) => texts.get(name) ?? null,
    setItem: (name: string, text: string) => {
      if (isFull) throw new DOMException("full", "QuotaExceededError");
      texts.set(name, text);
    },
  };
  vi.stubGlobal("localStorage", storage);
  vi.stubGlobal("sessionStorage", storage);
  vi.spyOn(console, "warn").mockImplementation(() => {});
});

afterEach(() => {
  isFull = false;
  // What this module still holds goes back to the storage, and is no longer anybody's.
  for (const name of unkept.peek()) remember(name, "null", "localStorage");
  vi.restoreAllMocks();
});

test("a value comes back as it was left, and what others wrote doesn't", () => {
  kept("a", flag, false).value = true;
  expect(kept("a", flag, false).value).toBe(true);
  texts.set("realtime.a", "{");
  expect(kept("a", flag, false).value).toBe(false);
  texts.set("realtime.a", '"yes"');
  expect(kept("a", flag, false).value).toBe(false);
});

test.each([
  ["throws when it is named", { get: forbidden }],
  ["is null, as in some embedded browsers", { value: null }],
])("a storage that %s costs nothing but what is kept", (_what, property) => {
  const real = Object.getOwnPropertyDescriptor(globalThis, "localStorage") as PropertyDescriptor;
  Object.defineProperty(globalThis, "localStorage", { ...property, configurable: true });
  const value = kept("b", flag, true);
  expect([...unkept.value]).toEqual(["b"]);
  value.value = false;
  expect(value.value).toBe(false);
  expect(recall("b", "localStorage")).toBe("false");
  Object.defineProperty(globalThis, "localStorage", real);
});

test("what a full storage refuses lasts as long as the page, and is no longer missing when there is room", () => {
  remember("c", "first", "sessionStorage");
  isFull = true;
  remember("c", "second", "sessionStorage");
  expect([...unkept.value]).toEqual(["c"]);
  expect(recall("c", "sessionStorage")).toBe("second");
  isFull = false;
  remember("c", "third", "sessionStorage");
  expect([...unkept.value]).toEqual([]);
  expect(texts.get("realtime.c")).toBe("third");
});
