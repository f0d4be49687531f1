import { signal } from "@preact/signals";
import { expect, test, vi } from "vitest";
import type { Presets } from "../../src/looks/presets";
import { type PadOnWire, PadsThere, padsOf } from "../../src/studio/played";
import { FakeClock } from "../fakes";

const ink = { name: "ink", look: { prompt: "ink", seed: 4, transition_s: 2 }, picture: "/9j/AAAA" };

function setUp(first: Presets = []) {
  const [clock, presets, isLocked] = [new FakeClock(), signal<Presets>(first), signal(false)];
  const put = vi.fn<(pads: readonly PadOnWire[]) => Promise<void>>(async () => {});
  const there = new PadsThere({ clock, presets: () => presets.value, isSeedLocked: () => isLocked.value, put });
  return { clock, presets, isLocked, put, there };
}

test("presets are pads on the server, with their own time beside their look", () => {
  expect(padsOf([ink, { name: "b", look: { prompt: "b" } }], false)).toEqual([
    { name: "ink", look: { prompt: "ink", seed: 4 }, transition_s: 2, picture: "/9j/AAAA" },
    { name: "b", look: { prompt: "b" } },
  ]);
  expect(padsOf([ink], true)[0]?.look).toEqual({ prompt: "ink" });
});

test("they are brought when there is a session, and when they have changed and rest", () => {
  const { clock, presets, put, there } = setUp([ink]);
  clock.pass(1000);
  expect(put).not.toHaveBeenCalled();
  there.connected();
  clock.pass(1000);
  presets.value = [ink, { ...ink, name: "two" }];
  clock.pass(100);
  presets.value = [];
  clock.pass(1000);
  expect(put.mock.calls.map(([pads]) => pads.map(({ name }) => name))).toEqual([["ink"], []]);
});

test("who has none leaves those alone that somebody else has brought", () => {
  const { clock, put, there } = setUp();
  there.connected();
  clock.pass(1000);
  expect(put).not.toHaveBeenCalled();
});

test("a seed that is locked stays out of them", () => {
  const { clock, isLocked, put, there } = setUp([ink]);
  there.connected();
  clock.pass(1000);
  isLocked.value = true;
  clock.pass(1000);
  expect(put.mock.calls.map(([pads]) => pads[0]?.look.seed)).toEqual([4, undefined]);
});
