import { describe, expect, test } from "vitest";
import { beatAt, pulseAt, tapped, tempoOf } from "../../src/vj/tempo";

describe("tempo", () => {
  test("two taps make one, their distance its beat", () => {
    expect(tempoOf([1000, 1500])).toEqual({ bpm: 120, origin_ms: 1500 });
    expect(tempoOf([1000])).toBeNull();
  });

  test("more taps are averaged", () => {
    expect(tempoOf([0, 490, 1010, 1500])?.bpm).toBe(120);
  });

  test("a pause begins anew, and only the last taps count", () => {
    expect(tapped([0, 500], 3000)).toEqual([3000]);
    expect(Array.from({ length: 20 }, (_, index) => index * 500).reduce(tapped, [] as number[])).toHaveLength(8);
  });

  test("beats are counted from the last tap", () => {
    const tempo = { bpm: 120, origin_ms: 1000 };
    expect([999, 1000, 1499, 1500, 3000].map((now_ms) => beatAt(tempo, now_ms))).toEqual([-1, 0, 0, 1, 4]);
  });
});

test("a pulse is full on the beat and gone before the next", () => {
  const tempo = { bpm: 120, origin_ms: 1000 };
  expect(pulseAt(tempo, 1500)).toBe(1);
  expect(pulseAt(tempo, 1750)).toBe(0.25);
  expect(pulseAt(tempo, 1999)).toBeLessThan(0.001);
});
