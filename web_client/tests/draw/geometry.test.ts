import { expect, test } from "vitest";
import { boxAround, clip, regular, sheetSize, shiftBetween, shiftedOn, union, UNMOVED } from "../../src/draw/geometry";

test("a sheet has the picture's shape, 1024 on its shorter side, and an even centre", () => {
  expect(sheetSize(512, 512)).toEqual({ width: 1024, height: 1024 });
  expect(sheetSize(768, 512)).toEqual({ width: 1536, height: 1024 });
  expect(sheetSize(512, 904)).toEqual({ width: 1024, height: 1808 });
  expect(sheetSize(520, 512).width % 2).toBe(0);
});

test("a box holds all points and its margin, in whole pixels", () => {
  const points = [
    { x: -1.5, y: 2 },
    { x: 3, y: 0.5 },
  ];
  expect(boxAround(points, 1)).toEqual({ left: -3, top: -1, right: 4, bottom: 3 });
});

test("boxes join and clip", () => {
  const [a, b] = [boxAround([{ x: 0, y: 0 }], 2), boxAround([{ x: 3, y: 0 }], 2)];
  expect(union(a, b)).toEqual({ left: -2, top: -2, right: 5, bottom: 2 });
  expect(clip(a, b)).toEqual({ left: 1, top: -2, right: 2, bottom: 2 });
  expect(clip(a, boxAround([{ x: 9, y: 0 }], 2))).toBeNull();
});

test("regular lines go in eighths of a turn, regular shapes are as wide as high", () => {
  const from = { x: 0, y: 0 };
  const level = regular("line", from, { x: 10, y: 1 });
  expect(level.y).toBeCloseTo(0);
  expect(level.x).toBeCloseTo(10);
  const slanted = regular("line", from, { x: -10, y: 9 });
  expect(slanted.x).toBeCloseTo(-slanted.y);
  expect(regular("rectangle", from, { x: -4, y: 7 })).toEqual({ x: -7, y: 7 });
  expect(regular("ellipse", from, { x: 4, y: -1 })).toEqual({ x: 4, y: -4 });
});

test("a layer moves by whole pixels, or is scaled by the way up and down alone", () => {
  const from = { x: 10, y: 10 };
  expect(shiftBetween(from, { x: 15.6, y: 7.2 }, false)).toEqual({ dx: 6, dy: -3, scale: 1 });
  expect(shiftBetween(from, { x: 90, y: 10 - 512 }, true)).toEqual({ dx: 0, dy: 0, scale: 2 });
  expect(shiftBetween(from, { x: 90, y: 10 + 512 }, true).scale).toBe(0.5);
});

test("movements add up: what was moved first is scaled with the rest", () => {
  expect(shiftedOn({ dx: 10, dy: 4, scale: 2 }, { dx: 1, dy: -1, scale: 0.5 })).toEqual({ dx: 6, dy: 1, scale: 1 });
  expect(shiftedOn(UNMOVED, { dx: 3, dy: 5, scale: 1 })).toEqual({ dx: 3, dy: 5, scale: 1 });
});
