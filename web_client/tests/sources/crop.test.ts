import { expect, test } from "vitest";
import { cropOf, readPlace, UPPER } from "../../src/sources/crop";
import type { CropPlace } from "../../src/sources/source";

const [start, end]: CropPlace[] = [
  { x: 0, y: 0 },
  { x: 1, y: 1 },
];

test.each([
  ["the middle", undefined, 1280, 720, 256, 256, { x: 280, y: 0, width: 720, height: 720 }],
  ["the middle", undefined, 720, 1280, 256, 256, { x: 0, y: 280, width: 720, height: 720 }],
  ["all", undefined, 640, 480, 512, 384, { x: 0, y: 0, width: 640, height: 480 }],
  ["the middle", undefined, 100, 100, 512, 256, { x: 0, y: 25, width: 100, height: 50 }],
  ["the left end", start, 1280, 720, 256, 256, { x: 0, y: 0, width: 720, height: 720 }],
  ["the right end", end, 1280, 720, 256, 256, { x: 560, y: 0, width: 720, height: 720 }],
  ["the upper part", UPPER, 720, 1280, 256, 256, { x: 0, y: 140, width: 720, height: 720 }],
])("%s of a picture in another shape", (_, crop, width, height, toWidth, toHeight, wanted) => {
  expect(cropOf({ width, height, crop }, toWidth, toHeight)).toEqual(wanted);
});

test("a place that was kept is read, and nothing else", () => {
  expect(readPlace({ x: 0.2, y: 1 })).toEqual({ x: 0.2, y: 1 });
  for (const other of [null, 3, "x", {}, { x: 0.5 }, { x: -0.1, y: 0 }, { x: 0, y: 2 }, { x: Number.NaN, y: 0 }])
    expect(readPlace(other)).toBeNull();
});
