import { describe, expect, test } from "vitest";
import { crossfaded, type FadeMode, fadeModes } from "../../src/sources/crossfade";

/** What a canvas makes of two greys, 0–1, after W3C's Compositing and Blending. */
function seen(mode: FadeMode, at: number, first: number, second: number): number {
  const fade = crossfaded(mode, at);
  const ground = fade.ground === "#fff" ? 1 : 0;
  const below = ground + (first - ground) * fade.a;
  const blended = {
    "source-over": second,
    screen: below + second - below * second,
    lighter: Math.min(1, below + second),
    multiply: below * second,
    difference: Math.abs(below - second),
  }[fade.operation as string] as number;
  return fade.operation === "lighter" ? Math.min(1, below + second * fade.b) : below + (blended - below) * fade.b;
}

describe.each(fadeModes)("%s", (mode) => {
  test("at either end there is one picture alone", () => {
    for (const [first, second] of [[0.2, 0.9], [1, 0], [0, 1]] as const) {
      expect(seen(mode, 0, first, second)).toBeCloseTo(first);
      expect(seen(mode, 1, first, second)).toBeCloseTo(second);
    }
  });

  test("nothing jumps on the way", () => {
    for (let at = 0; at < 1; at += 0.01) expect(Math.abs(seen(mode, at + 0.01, 0.8, 0.4) - seen(mode, at, 0.8, 0.4))).toBeLessThan(0.03);
  });
});

test.each([
  ["mix", 0.6],
  ["screen", 0.88],
  ["add", 1],
  ["multiply", 0.32],
  ["difference", 0.4],
] as const)("in the middle of %s both are whole, or half of each", (mode, expected) => {
  expect(seen(mode, 0.5, 0.8, 0.4)).toBeCloseTo(expected);
});
