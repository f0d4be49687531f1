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

export const bands = ["all", "low", "mid", "high"] as const;
/** All that is heard, or a part of it: bass and kick, voices and chords, hats and hiss. */
export type Band = (typeof bands)[number];

/** From and to, in Hz. */
const RANGES: Record<Exclude<Band, "all">, readonly [number, number]> = {
  low: [20, 250],
  mid: [250, 4000],
  high: [4000, 16_000],
};
/** From the sum of an analyser's squared magnitudes to the mean square of the sound, for its Blackman window: the window's
 * own mean square is 0.3046, and each of a real sound's frequencies has half of its power in what is left out.
 * Source: Web Audio API, "Blackman window" and "Fourier transform". */
const MEAN_SQUARE = 2 / 0.3046;

/**
 * The root mean square of what lies in a band, on the scale of `levelOf`, 0–1.
 * @param decibels an analyser's `getFloatFrequencyData`: from 0 Hz to half of `sampleRate`.
 */
export function bandLevel(decibels: ArrayLike<number>, sampleRate: number, band: Exclude<Band, "all">): number {
  const [from, to] = RANGES[band].map((hz) => Math.round((hz * 2 * decibels.length) / sampleRate)) as [number, number];
  let sum = 0;
  for (let bin = from; bin < Math.min(to, decibels.length); bin++) sum += 10 ** ((decibels[bin] ?? -Infinity) / 10);
  return Math.min(1, Math.sqrt(sum * MEAN_SQUARE) / LOUD);
}

export function smoothed(before: number, level: number): number {
  return level >= before ? level : before * RELEASE + level * (1 - RELEASE);
}

/** @param share of the field's range that is added; negative takes away. */
export function modulated(control: NumberControl, base: number, share: number): number {
  const [low, high] = [control.min ?? 0, control.max ?? 1];
  return scaled(control, (base - low) / (high - low || 1) + share);
}
