import { describe, expect, test } from "vitest";
import type { NumberControl } from "../../src/params/schema";
import { bandLevel, levelOf, modulated, smoothed } from "../../src/vj/modulation";

const RATE = 48_000;
const SIZE = 2048;

/** What an analyser makes of samples, by the Web Audio API's own formulas: a Blackman window, then a Fourier transform. */
function spectrumOf(samples: Float32Array): Float32Array {
  const windowed = samples.map((sample, n) => {
    const turn = (2 * Math.PI * n) / SIZE;
    return sample * (0.42 - 0.5 * Math.cos(turn) + 0.08 * Math.cos(2 * turn));
  });
  return Float32Array.from({ length: SIZE / 2 }, (_, k) => {
    let [re, im] = [0, 0];
    for (let n = 0; n < SIZE; n++) {
      re += (windowed[n] ?? 0) * Math.cos((2 * Math.PI * k * n) / SIZE);
      im -= (windowed[n] ?? 0) * Math.sin((2 * Math.PI * k * n) / SIZE);
    }
    return 20 * Math.log10(Math.hypot(re, im) / SIZE);
  });
}

function tone(hz: number, amplitude: number): Float32Array {
  return Float32Array.from({ length: SIZE }, (_, n) => amplitude * Math.sin((2 * Math.PI * hz * n) / RATE));
}

test.each([
  ["low", 100],
  ["mid", 1000],
  ["high", 8000],
] as const)("a tone is as loud in its own band, %s, as it is in all, and nothing in the others", (band, hz) => {
  const samples = tone(hz, 0.2);
  const spectrum = spectrumOf(samples);
  for (const each of ["low", "mid", "high"] as const) {
    const level = bandLevel(spectrum, RATE, each);
    if (each === band) expect(level).toBeCloseTo(levelOf(samples), 1);
    else expect(level).toBeLessThan(0.02);
  }
});

test("silence is nothing in any band", () => {
  expect(bandLevel(new Float32Array(1024).fill(-Infinity), RATE, "mid")).toBe(0);
});

describe("sound", () => {
  const strength = { min: 0, max: 1, step: 0.01 } as NumberControl;

  test("silence is nothing, and loud is at most one", () => {
    expect(levelOf(new Float32Array(64))).toBe(0);
    expect(levelOf(new Float32Array(64).fill(1))).toBe(1);
    expect(levelOf([])).toBe(0);
  });

  test("rises at once and falls slowly", () => {
    expect(smoothed(0.2, 0.9)).toBe(0.9);
    expect(smoothed(0.9, 0)).toBeCloseTo(0.765);
  });

  test("moves a field from where it was, within its range", () => {
    expect(modulated(strength, 0.4, 0)).toBe(0.4);
    expect(modulated(strength, 0.4, 0.25)).toBe(0.65);
    expect(modulated(strength, 0.4, -0.5)).toBe(0);
    expect(modulated(strength, 0.4, 1)).toBe(1);
  });
});
