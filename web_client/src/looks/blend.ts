/** Prompts with weights: from one text to several and back, pictures among them, and the slider between two. Pure. */

import { isPicture, type PicturePart, type Value, type WeightedPrompt } from "../protocol";
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

/** Takes one away; a single text that remains is no blend any more. */
export function without(prompts: readonly WeightedPrompt[], index: number): WeightedPrompt[] | string {
  return shortest(prompts.filter((_, each) => each !== index));
}

function shortest(prompts: WeightedPrompt[]): WeightedPrompt[] | string {
  const [first] = prompts;
  if (!first) return "";
  return prompts.length === 1 && !isPicture(first) ? first.text : prompts;
}

export function withText(prompts: WeightedPrompt[], index: number, text: string): WeightedPrompt[] {
  return prompts.map((prompt, each) => (each === index ? { text, weight: prompt.weight } : prompt));
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

/** The pictures that a prompt names. */
export function picturesOf(prompt: Value | undefined): PicturePart[] {
  return blendOf(prompt)?.filter(isPicture) ?? [];
}

/** What of a prompt a model hears that hears no pictures; null where that is nothing. */
export function withoutPictures(prompt: Value | undefined): Value | null {
  const blend = blendOf(prompt);
  if (!blend) return prompt ?? null;
  const texts = blend.filter((part) => !isPicture(part));
  if (texts.length === 0) return null;
  return shortest(texts.some(({ weight }) => weight > 0) ? texts : withWeight(texts, 0, 1));
}

/** What gives the picture its style: the text or the picture that weighs most. */
function styling(blend: WeightedPrompt[]): WeightedPrompt | undefined {
  return blend[heaviestOf(blend)];
}

/** The picture whose style is in force; null where words weigh more. */
export function stylingPicture(prompt: Value | undefined): string | null {
  const part = styling(blendOf(prompt) ?? []);
  return part && isPicture(part) ? part.picture : null;
}

/** The index of the text that weighs most; -1 where there are only pictures. */
function seenAt(blend: WeightedPrompt[]): number {
  return blend.reduce((best, part, each) => {
    const isMore = best < 0 || part.weight > (blend[best]?.weight ?? 0);
    return !isPicture(part) && isMore ? each : best;
  }, -1);
}

/** The text whose phrases are shown and changed by a click: the prompt, or of a blend the text that weighs most. */
export function seenText(prompt: Value | undefined): string {
  const blend = blendOf(prompt);
  if (!blend) return typeof prompt === "string" ? prompt : "";
  const part = blend[seenAt(blend)];
  return part && !isPicture(part) ? part.text : "";
}

/** With another text in that one's place. It is meant to be seen, so it weighs something. */
export function withSeenText(prompt: Value | undefined, text: string): WeightedPrompt[] | string {
  const blend = blendOf(prompt);
  if (!blend) return text;
  const at = seenAt(blend);
  if (at < 0) return [...blend, { text, weight: 1 }].slice(0, MAX_PROMPTS);
  return blend.map((part, each) => (each === at ? { text, weight: part.weight || 1 } : part));
}

/** With that text giving the style, in place of a picture where one does. */
export function styledBy(prompt: Value | undefined, text: string): WeightedPrompt[] | string {
  const blend = blendOf(prompt);
  const picture = blend && styling(blend);
  if (!picture || !isPicture(picture)) return withSeenText(prompt, text);
  const rest = blend.filter((part) => part !== picture);
  const at = seenAt(rest);
  if (at < 0) return shortest(blend.map((part) => (part === picture ? { text, weight: part.weight } : part)));
  return shortest(rest.map((part, each) => (each === at ? { text, weight: picture.weight } : part)));
}

/**
 * With a picture giving the style, in place of the picture or the words that did.
 * @param rest what the text that is seen most says beside its style: it stays, and of one text it weighs nothing at first.
 */
export function likePicture(prompt: Value | undefined, picture: string, rest: string): WeightedPrompt[] {
  const part: PicturePart = { picture, weight: 1 };
  const blend = blendOf(prompt);
  if (!blend) return rest === "" ? [part] : [part, { text: rest, weight: 0 }];
  const before = styling(blend);
  const others = blend.filter((each) => !(isPicture(each) && (each === before || each.picture === picture)));
  const at = before && isPicture(before) ? -1 : seenAt(others);
  const kept = others.map((each, index) => (index === at ? { text: rest, weight: each.weight } : each));
  return [part, ...kept.filter((_, index) => index !== at || rest !== "")].slice(0, MAX_PROMPTS);
}

function rounded(weight: number): number {
  return Number(weight.toFixed(DIGITS));
}
