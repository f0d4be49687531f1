/** Finds a tempo from taps, and the beat that a moment lies in. Pure. */

export interface Tempo {
  bpm: number;
  /** When a beat was. */
  origin_ms: number;
}

/** A pause this long begins a new tempo. */
const FORGET_MS = 2000;
const MAX_TAPS = 8;
const MIN_BPM = 30;
const MAX_BPM = 300;

/** The taps that count, with the new one. */
export function tapped(taps: readonly number[], now_ms: number): number[] {
  const last = taps.at(-1);
  const kept = last !== undefined && now_ms - last <= FORGET_MS ? taps : [];
  return [...kept, now_ms].slice(-MAX_TAPS);
}

/** The tempo of two taps or more: their mean distance, from the last one on. */
export function tempoOf(taps: readonly number[]): Tempo | null {
  const [first, last] = [taps[0], taps.at(-1)];
  if (first === undefined || last === undefined || taps.length < 2 || last <= first) return null;
  const bpm = (60_000 * (taps.length - 1)) / (last - first);
  return { bpm: Math.min(MAX_BPM, Math.max(MIN_BPM, bpm)), origin_ms: last };
}

/** 1 on the beat, falling to 0 before the next: what is hit and dies away. */
export function pulseAt({ bpm, origin_ms }: Tempo, now_ms: number): number {
  const beats = ((now_ms - origin_ms) * bpm) / 60_000;
  return (1 - (beats - Math.floor(beats))) ** 2;
}

/** How long so many beats take, in seconds. */
export function secondsOf({ bpm }: Tempo, beats: number): number {
  return (beats * 60) / bpm;
}

/** The number of the beat that a moment lies in, counted from the origin. */
export function beatAt({ bpm, origin_ms }: Tempo, now_ms: number): number {
  return Math.floor(((now_ms - origin_ms) * bpm) / 60_000 + 1e-9);
}
