import { expect, test } from "vitest";
import { Sharpest } from "../../src/params/sharpest";
import type { Stats } from "../../src/protocol";

const [SMALL, OWN, SHARP, MAX] = [256 ** 2, 384 ** 2, 576 ** 2, 768 ** 2];

/** A server that makes `per_s` pixels a second of work, for a camera of 30 fps; returns the sizes that were tried. */
function tried(per_s: number, reaches = (_pixels: number) => 1): number[] {
  const sharpest = new Sharpest(OWN, [MAX, OWN, SHARP], SMALL);
  const sizes = [OWN];
  for (let second = 0; second < 200; second++) {
    const pixels = sizes.at(-1) ?? 0;
    const work = (1000 * pixels) / per_s;
    const stage_ms = { queue: 500, decode: 0.1 * work, denoise: 0.8 * work, encode: 0.1 * work };
    const fps_out = Math.min(30, 1000 / work) * reaches(pixels);
    const next = sharpest.add({ fps_out, stage_ms } as unknown as Stats);
    if (next) sizes.push(next);
  }
  expect(sharpest.isOver).toBe(true);
  return sizes;
}

test("the sharpest that has room is taken, one after the other", () => {
  expect(tried(MAX * 40)).toEqual([OWN, SHARP, MAX]);
  expect(tried(SHARP * 25)).toEqual([OWN, SHARP]);
  expect(tried(OWN * 25)).toEqual([OWN]);
});

test("one that turns out too large is taken back, for good", () => {
  expect(tried(MAX * 40, (pixels) => (pixels === MAX ? 0.5 : 1))).toEqual([OWN, SHARP, MAX, SHARP]);
});

test("a slow machine gets what keeps the rate, and no less than the smallest", () => {
  const [first, second, ...more] = tried(OWN * 12);
  expect([first, more]).toEqual([OWN, []]);
  expect(second).toBeCloseTo((OWN * 12) / 20 / 1.2);
  expect(tried(OWN)).toEqual([OWN, SMALL]);
});

test("the first seconds of a size say nothing", () => {
  const sharpest = new Sharpest(OWN, [OWN], SMALL);
  const slow = { fps_out: 1, stage_ms: { queue: 0, denoise: 900 } } as unknown as Stats;
  const fast = { fps_out: 30, stage_ms: { queue: 0, denoise: 30 } } as unknown as Stats;
  for (let second = 0; second < 10; second++) expect(sharpest.add(slow)).toBeNull();
  for (let second = 0; second < 5; second++) expect(sharpest.add(fast)).toBeNull();
  expect(sharpest.isOver).toBe(true);
});
