import { expect, test } from "vitest";
import { flood, widen } from "../../src/draw/flood";

const WHITE = 0xffffffff;
const BLACK = 0xff000000;

function picture(...rows: string[]): Uint32Array {
  return Uint32Array.from([...rows.join("")].map((each) => (each === "#" ? BLACK : WHITE)));
}

function drawn(mask: Uint8Array, width: number): string[] {
  const marks = [...mask].map((filled) => (filled ? "x" : ".")).join("");
  return Array.from({ length: mask.length / width }, (_, row) => marks.slice(row * width, (row + 1) * width));
}

test("an area ends at its border", () => {
  const pixels = picture("......", ".####.", ".#..#.", ".####.", "......");
  const { mask, box } = flood(pixels, 6, 2, 2, 0);
  expect(drawn(mask, 6)).toEqual(["......", "......", "..xx..", "......", "......"]);
  expect(box).toEqual({ left: 2, top: 2, right: 4, bottom: 3 });
});

test("it flows around corners and into dead ends", () => {
  const pixels = picture("..#..", "#.#.#", "..#..", ".###.", ".....");
  const { mask } = flood(pixels, 5, 0, 0, 0);
  expect(drawn(mask, 5)).toEqual(["xx.xx", ".x.x.", "xx.xx", "x...x", "xxxxx"]);
});

test("corners that only touch are no way through", () => {
  const pixels = picture(".#", "#.");
  expect(drawn(flood(pixels, 2, 0, 0, 0).mask, 2)).toEqual(["x.", ".."]);
});

test("rows don't join at the edges of the picture", () => {
  const pixels = picture("..#", "##.", "...");
  expect(drawn(flood(pixels, 3, 0, 0, 0).mask, 3)).toEqual(["xx.", "...", "..."]);
});

test("the tolerance holds for each colour by itself", () => {
  const pixels = Uint32Array.from([0xff808080, 0xff808a80, 0xff808b80, 0xff808080]);
  expect([...flood(pixels, 4, 0, 0, 10).mask]).toEqual([1, 1, 0, 0]);
  expect([...flood(pixels, 4, 0, 0, 11).mask]).toEqual([1, 1, 1, 1]);
});

test("a large field is filled whole", () => {
  const { mask, box } = flood(new Uint32Array(512 * 512).fill(WHITE), 512, 300, 200, 0);
  expect(mask.every((filled) => filled === 1)).toBe(true);
  expect(box).toEqual({ left: 0, top: 0, right: 512, bottom: 512 });
});

test("wider by one pixel, and not out of the picture", () => {
  const area = flood(picture("#.#", "###", "###"), 3, 1, 0, 0);
  const wider = widen(area, 3, 3);
  expect(drawn(wider.mask, 3)).toEqual(["xxx", ".x.", "..."]);
  expect(wider.box).toEqual({ left: 0, top: 0, right: 3, bottom: 2 });
});
