/** A list of looks that follow each other in time, to each of which the server glides. Pure. */

import { type Look, MAX_TRANSITION_S, readLook } from "../looks/look";
import { isSmallJpeg } from "../looks/presets";

export interface Cue {
  look: Look;
  /** What it made when it was added. */
  picture?: string;
  /** How long the change to it takes, in seconds. */
  fade_s: number;
  /** How long it stays after that, in seconds. */
  hold_s: number;
}

export type Cues = readonly Cue[];

/** The cue that is on, and for how long it has been. */
export interface CueOn {
  index: number;
  since_s: number;
}

const MAX_CUES = 100;
const MAX_S = 3600;

export function lengthOf(cues: Cues): number {
  return cues.reduce((sum, { fade_s, hold_s }) => sum + fade_s + hold_s, 0);
}

/** What is on at a moment of the list; null when it is over. */
export function cueAt(cues: Cues, elapsed_s: number, loops: boolean): CueOn | null {
  const length_s = lengthOf(cues);
  if (length_s <= 0 || (!loops && elapsed_s >= length_s)) return null;
  let since_s = elapsed_s % length_s;
  for (const [index, { fade_s, hold_s }] of cues.entries()) {
    if (since_s < fade_s + hold_s) return { index, since_s };
    since_s -= fade_s + hold_s;
  }
  return null;
}

/** Like `cueAt`, for a list that was begun at cue `first`. In a loop the cues before it come at the end. */
export function cueFrom(cues: Cues, first: number, elapsed_s: number, loops: boolean): CueOn | null {
  const rest = [...cues.slice(first), ...(loops ? cues.slice(0, first) : [])];
  const on = cueAt(rest, elapsed_s, loops);
  return on && { ...on, index: (on.index + first) % cues.length };
}

/** Cues that were kept; null where it is no list of them. */
export function readCues(value: unknown): Cues | null {
  if (!Array.isArray(value)) return null;
  return value.slice(0, MAX_CUES).flatMap((each: (Partial<Cue> & { prompt?: unknown }) | null) => {
    // Cues were prompts once.
    const look = readLook(each?.look ?? { prompt: each?.prompt });
    const fade_s = Math.min(MAX_TRANSITION_S, seconds(each?.fade_s));
    const picture = each?.picture;
    return look ? [{ look, fade_s, hold_s: seconds(each?.hold_s), ...(isSmallJpeg(picture) && { picture }) }] : [];
  });
}

/** Within its bounds, and 0 for what is no number. */
export function seconds(value: unknown): number {
  return typeof value === "number" && value > 0 ? Math.min(value, MAX_S) : 0;
}
