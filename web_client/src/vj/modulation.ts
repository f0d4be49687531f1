/** Measures loudness, and moves a number by it. Pure. */

import type { NumberControl } from "../params/schema";
import { scaled } from "./midi";

/** Up at once, down slowly: a beat is seen, and the picture doesn't flutter. */
const RELEASE = 0.85;
/** Speech and music at usual gains have root mean squares up to about this. */
const LOUD = 0.35;

/** The root mean square of a piece of sound, 0–1. */
export function levelOf(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < samples.length; index++) sum += (samples[index] ?? 0) ** 2;
  return Math.min(1, Math.sqrt(sum / Math.max(1, samples.length)) / LOUD);
}

export function smoothed(before: number, level: number): number {
  return level >= before ? level : before * RELEASE + level * (1 - RELEASE);
}

/** @param amount share of the field's range that the full level adds; negative takes away. */
export function modulated(control: NumberControl, base: number, amount: number, level: number): number {
  const [low, high] = [control.min ?? 0, control.max ?? 1];
  return scaled(control, (base - low) / (high - low || 1) + amount * level);
}
