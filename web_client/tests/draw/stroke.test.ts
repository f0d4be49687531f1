import { expect, test } from "vitest";
import { boxAround, type Point } from "../../src/draw/geometry";
import { Speed, Stroke } from "../../src/draw/stroke";

const SIZE_PX = 20;

function along(count: number, step_px = 5) {
  return Array.from({ length: count }, (_, index) => ({ x: index * step_px, y: 0, pressure: 1 }));
}

/** Draws all points as the pen does; the pieces that were settled, and the rest. */
function pieces(count: number): Point[][] {
  const stroke = new Stroke(SIZE_PX);
  const found: Point[][] = [];
  for (const point of along(count)) {
    stroke.add(point);
    const piece = stroke.settle();
    if (piece) found.push(piece);
  }
  return [...found, stroke.live(true)];
}

test("a tap is a dot about as large as the brush", () => {
  const stroke = new Stroke(SIZE_PX);
  stroke.add({ x: 3, y: 4, pressure: 0.5 });
  const box = boxAround(stroke.live(true), 0);
  expect(box.right - box.left).toBeGreaterThan(SIZE_PX * 0.8);
  expect((box.left + box.right) / 2).toBeCloseTo(3, -1);
});

test("the outline of a line is as long as the line, and at full pressure 1.6 times as thick as the brush", () => {
  const box = boxAround(pieces(30).flat(), 0);
  expect(box.bottom - box.top).toBe(SIZE_PX * 1.6);
  expect(box.right).toBeGreaterThan(29 * 5);
});

test("a long stroke settles piece by piece, and the pieces overlap", () => {
  const found = pieces(400);
  expect(found.length).toBeGreaterThan(4);
  const boxes = found.map((piece) => boxAround(piece, 0));
  for (let index = 1; index < boxes.length; index++) {
    expect(boxes[index]?.left).toBeLessThan((boxes[index - 1]?.right ?? 0) - SIZE_PX / 2);
  }
});

test("its end costs the same however long it is", () => {
  const longest = Math.max(...pieces(5000).map((piece) => piece.length));
  expect(longest).toBeLessThan(600);
});

test("a pen that trembles on the spot adds nothing", () => {
  const stroke = new Stroke(SIZE_PX);
  expect(stroke.add({ x: 0, y: 0, pressure: 1 })).toBe(true);
  expect(stroke.add({ x: 0.3, y: 0.3, pressure: 1 })).toBe(false);
});

test("a mouse presses less the faster it goes", () => {
  const pressureAfter = (step_ms: number) => {
    const speed = new Speed();
    let pressure = 0;
    for (let index = 0; index < 30; index++) pressure = speed.pressureAt(index * 10, 0, index * step_ms, 1024);
    return pressure;
  };
  expect(pressureAfter(50)).toBeGreaterThan(0.8);
  expect(pressureAfter(4)).toBeLessThan(0.55);
});

test("a mouse that waits keeps its pressure", () => {
  const speed = new Speed();
  for (let index = 0; index < 30; index++) speed.pressureAt(index * 10, 0, index * 4, 1024);
  const before = speed.pressureAt(300, 0, 120, 1024);
  expect(speed.pressureAt(300, 0, 5000, 1024)).toBe(before);
});
