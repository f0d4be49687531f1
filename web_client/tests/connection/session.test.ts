import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { unkept } from "../../src/browser/kept";
import { keepSessionName, sessionName } from "../../src/connection/session";

let isBlocked: boolean;

beforeEach(() => {
  isBlocked = false;
  const texts = new Map<string, string>();
  const unlessBlocked = () => {
    if (isBlocked) throw new DOMException("Access is denied for this document.", "SecurityError");
  };
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => (unlessBlocked(), texts.get(name) ?? null),
    setItem: (name: string, text: string) => (unlessBlocked(), texts.set(name, text)),
  });
  vi.spyOn(console, "warn").mockImplementation(() => {});
});

afterEach(() => {
  isBlocked = false;
  keepSessionName("");
  expect(unkept.peek().size).toBe(0);
  vi.restoreAllMocks();
});

test.each([false, true])("the name stays the same for all who ask, blocked: %s", (blocks) => {
  isBlocked = blocks;
  const name = sessionName();
  expect(name).toMatch(/^[0-9a-f]{24}$/);
  expect(sessionName()).toBe(name);
  keepSessionName("the server's");
  expect(sessionName()).toBe("the server's");
});
