import { expect, test } from "vitest";
import { boxOfTile, onlyPixel, tilesIn, wholeTiles } from "../../src/draw/tiles";

test("tiles cover a box, and are found again by their number", () => {
  const tiles = tilesIn({ left: -10, top: 5, right: 70, bottom: 6 });
  expect(tiles.map(boxOfTile).map(({ left, top }) => [left, top])).toEqual([
    [-64, 0],
    [0, 0],
    [64, 0],
  ]);
});

test("a box that ends where a tile begins doesn't touch it", () => {
  expect(tilesIn({ left: 0, top: 0, right: 64, bottom: 64 })).toHaveLength(1);
});

test("a sheet has whole tiles on both sides of its centre", () => {
  expect(wholeTiles(1024)).toBe(1024);
  expect(wholeTiles(1026)).toBe(1152);
});

test("a tile is of one pixel only without a trace of another", () => {
  const pixels = new Uint8ClampedArray(16);
  expect(onlyPixel(pixels)).toBe(0);
  pixels[7] = 1;
  expect(onlyPixel(pixels)).toBe(null);
  pixels.fill(255);
  expect(onlyPixel(pixels)).toBe(0xffffffff);
});
