import { expect, test } from "vitest";
import { copies, symmetries, turned, turnedBox } from "../../src/draw/symmetry";

test("every symmetry begins with the mark itself, and keeps distances from the centre", () => {
  for (const symmetry of symmetries) {
    const points = copies[symmetry].map((turn) => turned({ x: 30, y: -40 }, turn));
    expect(points[0]).toEqual({ x: 30, y: -40 });
    for (const { x, y } of points) expect(Math.hypot(x, y)).toBeCloseTo(50);
    expect(new Set(points.map(({ x, y }) => `${Math.round(x)} ${Math.round(y)}`)).size).toBe(points.length);
  }
});

test("sides are mirrored, quarters too, and turns are sixty degrees apart", () => {
  const of = (symmetry: "sides" | "quarters" | "turns") => copies[symmetry].map((turn) => turned({ x: 10, y: 2 }, turn));
  expect(of("sides")).toEqual([{ x: 10, y: 2 }, { x: -10, y: 2 }]);
  expect(of("quarters")).toEqual([{ x: 10, y: 2 }, { x: -10, y: 2 }, { x: 10, y: -2 }, { x: -10, y: -2 }]);
  const angles = of("turns").map(({ x, y }) => Math.round((Math.atan2(y, x) * 180) / Math.PI));
  expect(angles).toEqual([11, 71, 131, -169, -109, -49]);
});

test("a box that is turned holds all of its corners", () => {
  const box = { left: 10, top: 20, right: 30, bottom: 60 };
  expect(turnedBox(box, [-1, 0, 0, 1])).toEqual({ left: -30, top: 20, right: -10, bottom: 60 });
  for (const turn of copies.turns) {
    const { left, top, right, bottom } = turnedBox(box, turn);
    for (const corner of [{ x: 10, y: 20 }, { x: 30, y: 20 }, { x: 10, y: 60 }, { x: 30, y: 60 }]) {
      const { x, y } = turned(corner, turn);
      expect(x).toBeGreaterThanOrEqual(left);
      expect(x).toBeLessThanOrEqual(right);
      expect(y).toBeGreaterThanOrEqual(top);
      expect(y).toBeLessThanOrEqual(bottom);
    }
  }
});
