/** The tempo of a MIDI clock: 24 messages a beat, from a drum machine or a program. Pure. */

import { type Tempo, within } from "./tempo";

const PER_BEAT = 24;
/** So many beats are averaged: single messages come a few milliseconds early or late. */
const BEATS = 4;
/** After a pause this long it is another clock, or another tempo. */
const PAUSE_MS = 500;

const CLOCK = 0xf8;
const START = 0xfa;
const CONTINUE = 0xfb;

/** What has been heard of a clock. */
export interface ClockHeard {
  /** The time of each message, the newest last: as many as are averaged. */
  times_ms: readonly number[];
  /** Messages since the last beat. */
  sinceBeat: number;
}

export const unheard: ClockHeard = { times_ms: [], sinceBeat: 0 };

export function isClock(data: ArrayLike<number>): boolean {
  return data[0] === CLOCK || data[0] === START || data[0] === CONTINUE;
}

/**
 * What is known after one more message.
 * @returns with the tempo where a beat begins with it, and enough has been heard; null else.
 */
export function heardClock(heard: ClockHeard, data: ArrayLike<number>, now_ms: number): [ClockHeard, Tempo | null] {
  // The next message is the first of a beat.
  if (data[0] === START) return [{ times_ms: heard.times_ms, sinceBeat: 0 }, null];
  if (data[0] !== CLOCK) return [heard, null];
  const last_ms = heard.times_ms.at(-1);
  const isNew = last_ms === undefined || now_ms - last_ms > PAUSE_MS;
  const times_ms = [...(isNew ? [] : heard.times_ms), now_ms].slice(-(PER_BEAT * BEATS + 1));
  const isBeat = heard.sinceBeat === 0;
  const next = { times_ms, sinceBeat: (heard.sinceBeat + 1) % PER_BEAT };
  const first_ms = times_ms[0] ?? now_ms;
  if (!isBeat || times_ms.length <= PER_BEAT || now_ms <= first_ms) return [next, null];
  const beat_ms = ((now_ms - first_ms) / (times_ms.length - 1)) * PER_BEAT;
  return [next, { bpm: within(60_000 / beat_ms), origin_ms: now_ms }];
}
