import { signal } from "@preact/signals";
import { beforeEach, expect, test, vi } from "vitest";
import type { Air, Ready } from "../../src/protocol";
import { followOthers } from "../../src/studio/others";

let isConnected: boolean;
let put: Air[];
let air: ReturnType<typeof signal<Air>>;
let ready: (air: Air, isFirst?: boolean) => void;

beforeEach(() => {
  vi.stubGlobal("sessionStorage", { getItem: () => null, setItem() {} });
  isConnected = true;
  put = [];
  air = signal<Air>("on_air");
  const client = {
    putOnAir: (one: Air) => isConnected && put.push(one) > 0,
    params: { inForce: signal(null) },
    connection: { send: () => isConnected },
    onReady: (_: Partial<Ready>, _isFirst: boolean) => {},
    onState: () => {},
  };
  const view = { air, follow: (one: Air) => (air.value = one) };
  const looks = { presets: signal([]), isSeedLocked: signal(false) };
  const parts = { client, view, looks, mixer: { connected: async () => {} }, openShow: async () => ({ wireTempo: null }) };
  followOthers(parts as unknown as Parameters<typeof followOthers>[0]);
  ready = (one, isFirst = false) => client.onReady({ air: one }, isFirst);
  ready("on_air", true);
  put.length = 0;
});

test("a panic that somebody commanded while the page was away holds when it is back", () => {
  ready("black");
  expect(air.value).toBe("black");
  expect(put).not.toContain("on_air");
});

test("what was chosen here while there was no connection has the last word", () => {
  air.value = "bypass";
  isConnected = false;
  air.value = "on_air";
  isConnected = true;
  put.length = 0;
  ready("bypass");
  expect([air.value, put]).toEqual(["on_air", ["on_air"]]);
});

test("a server that has lost the session is told of the panic that is on here", () => {
  air.value = "black";
  put.length = 0;
  ready("on_air");
  expect([air.value, put]).toEqual(["black", ["black"]]);
});

test("a page that is reloaded is still in what it was in", () => {
  ready("black", true);
  expect(air.value).toBe("black");
});
