/** Prompts with weights: from one text to several and back, and the slider between two. Pure. */

import type { Value, WeightedPrompt } from "../protocol";
import { isWeighted } from "./look";

export const MAX_PROMPTS = 8;
const DIGITS = 3;

/** The prompts of a params value; null where it is one text. */
export function blendOf(prompt: Value | undefined): WeightedPrompt[] | null {
  return Array.isArray(prompt) && prompt.length > 0 && prompt.every(isWeighted) ? prompt : null;
}

/** Adds a prompt without weight: the picture stays as it is until its slider moves. */
export function withAnother(prompt: Value | undefined, text = ""): WeightedPrompt[] {
  const prompts = blendOf(prompt) ?? [{ text: typeof prompt === "string" ? prompt : "", weight: 1 }];
  return [...prompts, { text, weight: 0 }].slice(0, MAX_PROMPTS);
}

/** Takes one away; a single one that remains is a text again. */
export function without(prompts: WeightedPrompt[], index: number): WeightedPrompt[] | string {
  const rest = prompts.filter((_, each) => each !== index);
  return rest.length > 1 ? rest : (rest[0]?.text ?? "");
}

export function withText(prompts: WeightedPrompt[], index: number, text: string): WeightedPrompt[] {
  return prompts.map((prompt, each) => (each === index ? { ...prompt, text } : prompt));
}

export function withWeight(prompts: WeightedPrompt[], index: number, weight: number): WeightedPrompt[] {
  return prompts.map((prompt, each) => (each === index ? { ...prompt, weight: rounded(weight) } : prompt));
}

/** The index of the prompt that weighs most, which is the one that is seen; the first of several. */
export function heaviestOf(prompts: WeightedPrompt[]): number {
  return prompts.reduce((best, { weight }, each) => (weight > (prompts[best]?.weight ?? 0) ? each : best), 0);
}

/** The slider's value for two prompts: 0 is the first alone, 1 the second alone. */
export function balanceOf(prompts: WeightedPrompt[]): number {
  const [first, second] = [prompts[0]?.weight ?? 1, prompts[1]?.weight ?? 0];
  return first + second > 0 ? second / (first + second) : 0.5;
}

/** Two prompts with the slider at `balance`. */
export function balanced(prompts: WeightedPrompt[], balance: number): WeightedPrompt[] {
  return withWeight(withWeight(prompts, 0, 1 - balance), 1, balance);
}

function rounded(weight: number): number {
  return Number(weight.toFixed(DIGITS));
}
