import { signal } from "@preact/signals";
import { expect, test } from "vitest";
import type { Drawing } from "../../src/draw/drawing";
import { isInside, type Outline, OutlineMark, PartMark } from "../../src/draw/lasso";

const pen = (x: number, y: number) => ({ x, y, pressure: 0.5 });
/** A horseshoe: its middle is outside. */
const HORSESHOE = [pen(0, 0), pen(30, 0), pen(30, 10), pen(10, 10), pen(10, 20), pen(30, 20), pen(30, 30), pen(0, 30)];

test("a point is inside of an outline or not, also where that is hollow", () => {
  expect(isInside(HORSESHOE, { x: 5, y: 15 })).toBe(true);
  expect(isInside(HORSESHOE, { x: 20, y: 15 })).toBe(false);
  expect(isInside(HORSESHOE, { x: 20, y: 25 })).toBe(true);
  expect(isInside([], { x: 0, y: 0 })).toBe(false);
});

test("an outline is chosen when it is drawn, and a slip chooses nothing", () => {
  const selection = signal<Outline | null>(null);
  const mark = new OutlineMark(selection);
  mark.move(HORSESHOE);
  mark.end();
  expect(selection.value).toEqual(HORSESHOE);
  const slip = new OutlineMark(selection);
  slip.move([pen(1, 1), pen(2, 1), pen(2, 2)]);
  slip.end();
  expect(selection.value).toBeNull();
});

function drawing() {
  const calls: unknown[][] = [];
  const note = (name: string) => (...args: unknown[]) => void calls.push([name, ...args.slice(1)]);
  const fake = { lift: () => ({}), previewPart: note("preview"), commitPart: note("commit"), refresh: note("refresh") };
  return { calls, fake: fake as unknown as Drawing };
}

test("what is chosen is moved by whole pixels, and its outline with it", () => {
  const selection = signal<Outline | null>(HORSESHOE);
  const { calls, fake } = drawing();
  const mark = new PartMark(fake, selection, HORSESHOE);
  mark.move([pen(5, 5)]);
  mark.move([pen(12.4, 4)]);
  mark.end();
  expect(calls).toEqual([["preview", { x: 7, y: -1 }], ["commit", { x: 7, y: -1 }]]);
  expect(selection.value?.[0]).toEqual({ x: 7, y: -1 });
});

test("a press alone moves nothing, and what is cancelled is where it was", () => {
  const selection = signal<Outline | null>(HORSESHOE);
  const { calls, fake } = drawing();
  const pressed = new PartMark(fake, selection, HORSESHOE);
  pressed.move([pen(5, 5)]);
  pressed.end();
  expect(calls).toEqual([]);
  const mark = new PartMark(fake, selection, HORSESHOE);
  mark.move([pen(5, 5), pen(6, 5)]);
  mark.move([pen(9, 9)]);
  mark.cancel();
  expect(selection.value).toEqual(HORSESHOE);
  expect(calls.at(-1)).toEqual(["refresh"]);
});
