/** The prompts that were used, newest last, and steps through them. Pure. */

export const MAX_PROMPTS = 50;
const MAX_CHARS = 2000;

export type PromptHistory = readonly string[];

/** With `prompt` as the newest; one that was used before moves there. */
export function remembered(history: PromptHistory, prompt: string): PromptHistory {
  const text = prompt.trim();
  if (text === "" || history.at(-1) === text) return history;
  return [...history.filter((each) => each !== text), text].slice(-MAX_PROMPTS);
}

export function readHistory(value: unknown): PromptHistory | null {
  if (!Array.isArray(value)) return null;
  return value.filter((each) => typeof each === "string" && each.length <= MAX_CHARS).slice(-MAX_PROMPTS);
}

/** A walk: where it stands in the history, and what was being written when it began. */
export interface Walk {
  /** Steps back from the newest; 0 is what was being written. */
  back: number;
  draft: string;
}

/**
 * One step of a walk, older or newer.
 * @returns the new walk and the prompt that it stands at; null where there is nothing in that direction.
 */
export function walked(history: PromptHistory, walk: Walk, direction: "older" | "newer"): [Walk, string] | null {
  // What is being written is the newest one itself when it was remembered already: that would be a step on the spot.
  const others = history.filter((each) => each !== walk.draft.trim());
  const back = walk.back + (direction === "older" ? 1 : -1);
  if (back < 0 || back > others.length) return null;
  return [{ ...walk, back }, back === 0 ? walk.draft : (others.at(-back) ?? "")];
}
