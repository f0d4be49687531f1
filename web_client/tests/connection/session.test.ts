import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { beside, bringTicket } from "../../src/browser/beside";
import { unkept } from "../../src/browser/kept";
import { claimSession, keepSession, nameFrom, renameSession, sessionName, takeTicket } from "../../src/connection/session";

let isBlocked: boolean;
/** A tab of its own has a session's storage of its own. */
let openTab: () => void;

beforeEach(() => {
  isBlocked = false;
  const unlessBlocked = () => {
    if (isBlocked) throw new DOMException("Access is denied for this document.", "SecurityError");
  };
  const storage = (kept: Map<string, string>) => ({
    getItem: (name: string) => (unlessBlocked(), kept.get(name) ?? null),
    setItem: (name: string, text: string) => (unlessBlocked(), kept.set(name, text)),
  });
  openTab = () => vi.stubGlobal("sessionStorage", storage(new Map()));
  vi.stubGlobal("localStorage", storage(new Map()));
  openTab();
  vi.spyOn(console, "warn").mockImplementation(() => {});
});

afterEach(() => {
  isBlocked = false;
  keepSession("");
  bringTicket(null);
  expect(unkept.peek().size).toBe(0);
  vi.restoreAllMocks();
});

test.each([false, true])("the name stays the same for all who ask, blocked: %s", (blocks) => {
  isBlocked = blocks;
  const name = sessionName();
  expect(name).toMatch(/^[0-9a-f]{24}$/);
  expect(sessionName()).toBe(name);
  keepSession("the server's");
  expect(sessionName()).toBe("the server's");
});

test("a ticket goes with every request, and the server's own takes its place", () => {
  vi.stubGlobal("document", { baseURI: "https://example.org/studio/" });
  vi.stubGlobal("location", new URL("https://example.org/studio/?ticket=guest&session=show&x=1#preset=a"));
  const replaceState = vi.fn();
  vi.stubGlobal("history", { replaceState });

  takeTicket();

  expect(sessionName()).toBe("show");
  expect(String(replaceState.mock.lastCall?.[2])).toBe("https://example.org/studio/?x=1#preset=a");
  expect(String(beside("ws", { session: "show" }))).toBe("https://example.org/studio/ws?session=show&ticket=guest");
  keepSession("show", "owner");
  expect(beside("api/config").search).toBe("?ticket=owner");
  keepSession("show");
  expect(beside("api/config").search).toBe("?ticket=owner");
});

/** The browser's locks, as far as they are asked for here: a name is held until its tab is closed. */
function fakeLocks() {
  const held = new Set<string>();
  const request = async (name: string, _: LockOptions, hold: (lock: Lock | null) => Promise<void> | undefined) => {
    const isFree = !held.has(name);
    held.add(name);
    void hold(isFree ? { name, mode: "exclusive" } : null);
  };
  return { locks: { request } as unknown as LockManager, close: (name: string) => held.delete(`realtime.${name}`) };
}

test("a browser comes back under the name that it had, tab after tab", async () => {
  const { locks, close } = fakeLocks();
  await claimSession(locks);
  const name = sessionName();
  expect(name).toMatch(/^studio-[0-9a-f]{6}$/);
  close(name);
  openTab();
  await claimSession(locks);
  expect(sessionName()).toBe(name);
});

test("a second tab has a name of its own, and leaves the browser's alone", async () => {
  const { locks, close } = fakeLocks();
  await claimSession(locks);
  const name = sessionName();
  openTab();
  await claimSession(locks);
  expect(sessionName()).toMatch(/^[0-9a-f]{24}$/);
  close(name);
  openTab();
  await claimSession(locks);
  expect(sessionName()).toBe(name);
});

test("a name that somebody chose is the browser's from then on", async () => {
  const { locks, close } = fakeLocks();
  await claimSession(locks);
  renameSession("show", locks);
  expect(sessionName()).toBe("show");
  close("show");
  openTab();
  await claimSession(locks);
  expect(sessionName()).toBe("show");
});

test("without locks, and with a ticket, a tab makes up its name", async () => {
  await claimSession(undefined);
  expect(sessionName()).toMatch(/^[0-9a-f]{24}$/);
  openTab();
  keepSession("", "guest");
  await claimSession(fakeLocks().locks);
  expect(sessionName()).toMatch(/^[0-9a-f]{24}$/);
});

test.each([
  ["show", "show"],
  ["  My show! ", "My-show-"],
  ["Zürich 2", "Z-rich-2"],
  ["", ""],
  ["a".repeat(80), "a".repeat(64)],
])("%j is taken as %j", (typed, name) => {
  expect(nameFrom(typed)).toBe(name);
});
