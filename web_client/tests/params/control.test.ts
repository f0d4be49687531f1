import { describe, expect, test } from "vitest";
import * as control from "../../src/params/control";
import type { ControlNet, ControlRow } from "../../src/protocol";

const net = (name: string, hint = name, weight = 0.5): ControlNet => ({ name, hint, title: name, weight });
const row = (part: Partial<ControlRow> = {}): ControlRow => ({
  ...{ net: "canny", weight: 1, start: 0, end: 1, source: "input" },
  ...part,
});
const PICTURE = "0123456789abcdef0123456789abcdef";

describe("what is no control", () => {
  test.each([
    ["no list", "canny"],
    ["a row that is none", [null]],
    ["five rows", Array(5).fill(row())],
    ["a weight beyond the most", [row({ weight: 2.1 })]],
    ["a step before the first", [row({ start: -0.1 })]],
    ["a source that is no text", [row({ source: 1 as never })]],
    ["a weight that is no number", [row({ weight: Number.NaN })]],
    ["a row without a weight", [{ net: "canny", start: 0, end: 1, source: "input" }]],
    ["a blend of prompts", [{ text: "a", weight: 1 }]],
  ])("is not taken: %s", (_, value) => {
    expect(control.isControl(value)).toBe(false);
    expect(control.rowsOf(value as never)).toEqual([]);
  });

  test("none at all is one", () => {
    expect(control.isControl([])).toBe(true);
    expect(control.isControl([row(), row({ source: PICTURE })])).toBe(true);
  });
});

test("another row takes a net that is not in use, at its own weight, and the first where all are", () => {
  const nets = [net("canny"), net("depth", "depth", 0.7)];
  const one = control.withAnother([], nets);
  const two = control.withAnother(one, nets);
  expect(two.map(({ net, weight }) => [net, weight])).toEqual([
    ["canny", 0.5],
    ["depth", 0.7],
  ]);
  const four = control.withAnother(control.withAnother(two, nets), nets);
  expect(four[2]?.net).toBe("canny");
  expect(control.withAnother(four, nets)).toHaveLength(control.MAX_ROWS);
  expect(control.withAnother([], [])).toEqual([]);
});

test("the first step takes the last along, and the last the first", () => {
  const rows = [row({ start: 0.2, end: 0.6 })];
  expect(control.changed(rows, 0, { start: 0.8 })[0]).toEqual(row({ start: 0.8, end: 0.8 }));
  expect(control.changed(rows, 0, { end: 0.1 })[0]).toEqual(row({ start: 0.1, end: 0.1 }));
  expect(control.changed(rows, 0, { weight: 0.3 })[0]).toEqual(row({ start: 0.2, end: 0.6, weight: 0.3 }));
});

test("a change and a removal leave the other rows as they are", () => {
  const rows = [row(), row({ net: "depth" })];
  expect(control.changed(rows, 1, { weight: 2 })[0]).toBe(rows[0]);
  expect(control.without(rows, 0)).toEqual([rows[1]]);
});

test("of a look's nets those are known that the model has, and its pictures are those that are no input", () => {
  const rows = [row(), row({ net: "depth", source: PICTURE })];
  expect(control.known(rows, [net("depth")])).toEqual([rows[1]]);
  expect(control.sourcesOf(rows)).toEqual([PICTURE]);
});

test("lines become a picture by a net that was made for lines by hand, or else for finer ones", () => {
  const nets = [net("tile"), net("edges", "canny"), net("drawn", "scribble", 0.6)];
  expect(control.linesToPicture(nets)).toEqual({ strength: 1, control: [row({ net: "drawn", weight: 0.6 })] });
  expect(control.linesToPicture(nets.slice(0, 2))?.control[0]?.net).toBe("edges");
  expect(control.linesToPicture([net("tile")])).toBeNull();
});
