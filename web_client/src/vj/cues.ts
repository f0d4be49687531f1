/** A list of prompts that follow each other in time, each faded into. Pure. */

import { crossfaded } from "../looks/blend";
import { readLook } from "../looks/look";
import type { Value } from "../protocol";

export interface Cue {
  prompt: Value;
  /** How long the change to it takes, in seconds. */
  fade_s: number;
  /** How long it stays after that, in seconds. */
  hold_s: number;
}

export type Cues = readonly Cue[];

const MAX_CUES = 100;
const MAX_S = 3600;

export function lengthOf(cues: Cues): number {
  return cues.reduce((sum, { fade_s, hold_s }) => sum + fade_s + hold_s, 0);
}

/**
 * What is on at a moment of the list.
 * @param from the prompt before the first cue; in a loop that is the last cue's.
 * @returns the cue's index and the prompt; null when the list is over.
 */
export function cueAt(
  cues: Cues,
  elapsed_s: number,
  loops: boolean,
  from: Value,
): { index: number; prompt: Value } | null {
  const length_s = lengthOf(cues);
  if (cues.length === 0 || length_s <= 0 || (!loops && elapsed_s >= length_s)) return null;
  const isFirstRound = elapsed_s < length_s;
  let rest_s = elapsed_s % length_s;
  let before = isFirstRound ? from : (cues.at(-1)?.prompt ?? from);
  for (const [index, { prompt, fade_s, hold_s }] of cues.entries()) {
    if (rest_s < fade_s) return { index, prompt: crossfaded(before, prompt, rest_s / fade_s) };
    if (rest_s < fade_s + hold_s) return { index, prompt };
    rest_s -= fade_s + hold_s;
    before = prompt;
  }
  return null;
}

/** Like `cueAt`, for a list that was begun at cue `first`. In a loop the cues before it come at the end. */
export function cueFrom(
  cues: Cues,
  first: number,
  elapsed_s: number,
  loops: boolean,
  from: Value,
): { index: number; prompt: Value } | null {
  const rest = [...cues.slice(first), ...(loops ? cues.slice(0, first) : [])];
  const on = cueAt(rest, elapsed_s, loops, from);
  return on && { ...on, index: (on.index + first) % cues.length };
}

/** Cues that were kept; null where it is no list of them. */
export function readCues(value: unknown): Cues | null {
  if (!Array.isArray(value)) return null;
  return value.slice(0, MAX_CUES).flatMap((each: Partial<Cue> | null) => {
    const prompt = readLook({ prompt: each?.prompt })?.prompt;
    return prompt === undefined ? [] : [{ prompt, fade_s: seconds(each?.fade_s), hold_s: seconds(each?.hold_s) }];
  });
}

/** Within its bounds, and 0 for what is no number. */
export function seconds(value: unknown): number {
  return typeof value === "number" && value > 0 ? Math.min(value, MAX_S) : 0;
}
