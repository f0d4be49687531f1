import { expect, test } from "vitest";
import { airOf, layersOf, type Mix } from "../../src/program/mix";

const usual: Mix = {
  layout: "sideBySide",
  blend: "wipe",
  opacity: 0.3,
  wipe: 0.6,
  isBypassed: false,
  isPanicked: false,
  refuge: "black",
};
const input = { what: "input", opacity: 1, from: 0 };
const output = { what: "output", opacity: 1, from: 0 };

test.each(["sideBySide", "outputOnly"] as const)("%s has the output alone on air", (layout) => {
  expect(layersOf({ ...usual, layout })).toEqual([output]);
});

test("a wipe shows the output from its line on", () => {
  expect(layersOf({ ...usual, layout: "over" })).toEqual([input, { ...output, from: 0.6 }]);
});

test("an opacity lets the input through everywhere", () => {
  expect(layersOf({ ...usual, layout: "over", blend: "opacity" })).toEqual([input, { ...output, opacity: 0.3 }]);
});

test("bypass shows the input, whatever the layout", () => {
  expect(layersOf({ ...usual, layout: "over", isBypassed: true })).toEqual([input]);
});

test("panic shows black, also during a bypass", () => {
  expect(layersOf({ ...usual, isBypassed: true, isPanicked: true })).toEqual([]);
});

test("panic shows the input where that is its refuge", () => {
  expect(layersOf({ ...usual, isPanicked: true, refuge: "camera" })).toEqual([input]);
});

test.each([
  [{}, "on_air"],
  [{ isBypassed: true }, "bypass"],
  [{ isPanicked: true }, "black"],
  [{ isPanicked: true, isBypassed: true }, "black"],
  [{ isPanicked: true, refuge: "camera" }, "bypass"],
  [{ layout: "over" }, "on_air"],
] as const)("with %o the session's viewers get %s", (change, air) => {
  expect(airOf({ ...usual, ...change })).toBe(air);
});
