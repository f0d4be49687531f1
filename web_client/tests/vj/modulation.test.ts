import { describe, expect, test } from "vitest";
import type { NumberControl } from "../../src/params/schema";
import { levelOf, modulated, smoothed } from "../../src/vj/modulation";

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
