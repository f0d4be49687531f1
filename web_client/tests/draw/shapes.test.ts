import { expect, test } from "vitest";
import { cornersOf } from "../../src/draw/shapes";

const [from, to] = [
  { x: 0, y: 0 },
  { x: 100, y: 50 },
];
const rounded = (points: { x: number; y: number }[]) => points.map(({ x, y }) => [Math.round(x), Math.round(y)]);

test("a polygon stands on the ellipse of the drag, its first corner at the top", () => {
  const form = { kind: "polygon", isFilled: true, corners: 4 } as const;
  expect(rounded(cornersOf(form, from, to))).toEqual([[50, 0], [100, 25], [50, 50], [0, 25]]);
});

test("a star has an inner corner between two points, and is the same from whichever end it is dragged", () => {
  const form = { kind: "star", isFilled: true, corners: 5 } as const;
  const corners = cornersOf(form, from, to);
  expect(corners).toHaveLength(10);
  const radius = ({ x, y }: { x: number; y: number }) => Math.hypot((x - 50) / 50, (y - 25) / 25);
  expect(corners.map((corner) => Number(radius(corner).toFixed(2)))).toEqual([1, 0.45, 1, 0.45, 1, 0.45, 1, 0.45, 1, 0.45]);
  expect(cornersOf(form, to, from)).toEqual(corners);
});
