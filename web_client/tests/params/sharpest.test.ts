import { expect, test } from "vitest";
import { Sharpest } from "../../src/params/sharpest";
import type { Stats } from "../../src/protocol";

const [SMALL, OWN, SHARP, MAX] = [256 ** 2, 384 ** 2, 576 ** 2, 768 ** 2];

/** A server that makes so many pixels a second of work, for a camera of 30 fps; returns the sizes that were tried. */
function tried(pixelsPerSecond: (second: number) => number, reaches = (_pixels: number) => 1): number[] {
  const sharpest = new Sharpest(OWN, [MAX, SMALL, OWN, SHARP]);
  const sizes = [OWN];
  for (let second = 0; second < 400; second++) {
    const pixels = sizes.at(-1) ?? 0;
    const work = (1000 * pixels) / pixelsPerSecond(second);
    const stage_ms = { queue: 500, decode: 0.1 * work, denoise: 0.8 * work, encode: 0.1 * work };
    const fps_out = Math.min(30, 1000 / work) * reaches(pixels);
    const next = sharpest.add({ fps_out, stage_ms } as unknown as Stats);
    if (next) sizes.push(next);
  }
  expect(sharpest.isOver).toBe(true);
  return sizes;
}

test("the sharpest that has room is taken, one after the other", () => {
  expect(tried(() => MAX * 40)).toEqual([OWN, SHARP, MAX]);
  expect(tried(() => SHARP * 25)).toEqual([OWN, SHARP]);
  expect(tried(() => OWN * 25)).toEqual([OWN]);
});

test("one that turns out too large is taken back, and tried once more", () => {
  const sizes = tried(
    () => MAX * 40,
    (pixels) => (pixels === MAX ? 0.5 : 1),
  );
  expect(sizes).toEqual([OWN, SHARP, MAX, SHARP, MAX, SHARP]);
});

test("a slow machine gets the smallest", () => {
  expect(tried(() => OWN * 12)).toEqual([OWN, SMALL]);
  expect(tried(() => OWN)).toEqual([OWN, SMALL]);
});

test("one that is slow at first gets its due later", () => {
  expect(tried((second) => (second < 30 ? OWN * 8 : OWN * 30))).toEqual([OWN, SMALL, OWN]);
});

test("the first seconds of a size say nothing", () => {
  const sharpest = new Sharpest(OWN, [OWN]);
  const slow = { fps_out: 1, stage_ms: { queue: 0, denoise: 900 } } as unknown as Stats;
  const fast = { fps_out: 30, stage_ms: { queue: 0, denoise: 30 } } as unknown as Stats;
  for (let second = 0; second < 10; second++) expect(sharpest.add(slow)).toBeNull();
  for (let second = 0; second < 90; second++) expect(sharpest.add(fast)).toBeNull();
  expect(sharpest.isOver).toBe(true);
});
