/** Finds a tempo from taps, and the beat that a moment lies in. Pure. */

export interface Tempo {
  bpm: number;
  /** When a beat was. */
  origin_ms: number;
}

/** A pause this long begins a new tempo. */
const FORGET_MS = 2000;
const MAX_TAPS = 8;
export const MIN_BPM = 30;
export const MAX_BPM = 300;
/** Of whoever counts in beats before anybody has said how long one is. */
export const USUAL_BPM = 120;

/** The nearest tempo that there may be. */
export function within(bpm: number): number {
  return Math.min(MAX_BPM, Math.max(MIN_BPM, bpm));
}

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
  return { bpm: within(bpm), origin_ms: last };
}

/** Another tempo, whose beats go on from where those of the one before are. */
export function retimed(before: Tempo | null, bpm: number, now_ms: number): Tempo {
  if (!before) return { bpm: within(bpm), origin_ms: now_ms };
  const share = beatsAt(before, now_ms) % 1;
  const next = { bpm: within(bpm), origin_ms: now_ms };
  return { ...next, origin_ms: now_ms - secondsOf(next, (share + 1) % 1) * 1000 };
}

/** Whether two are so much alike that nobody sees or hears the difference. */
export function isSameBeat(one: Tempo, other: Tempo, now_ms: number): boolean {
  const apart = beatsAt(one, now_ms) - beatsAt(other, now_ms);
  return Math.abs(one.bpm - other.bpm) < 0.01 && secondsOf(one, Math.abs(apart - Math.round(apart))) < ALIKE_S;
}

const ALIKE_S = 0.04;

/** Beats since the origin. */
function beatsAt({ bpm, origin_ms }: Tempo, now_ms: number): number {
  return ((now_ms - origin_ms) * bpm) / 60_000;
}

/** 1 on the beat, falling to 0 before the next: what is hit and dies away. */
export function pulseAt(tempo: Tempo, now_ms: number): number {
  const beats = beatsAt(tempo, now_ms);
  return (1 - (beats - Math.floor(beats))) ** 2;
}

/** How long so many beats take, in seconds. */
export function secondsOf({ bpm }: Tempo, beats: number): number {
  return (beats * 60) / bpm;
}

/** The number of the beat that a moment lies in, counted from the origin. */
export function beatAt(tempo: Tempo, now_ms: number): number {
  return Math.floor(beatsAt(tempo, now_ms) + 1e-9);
}
