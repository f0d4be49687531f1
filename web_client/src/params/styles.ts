/** Finds, puts in and takes out style and mood phrases in a prompt. Pure. */

import { isPicture, type Phrase, type PicturePart, type Value, type WeightedPrompt } from "../protocol";

const WEIGHTED = /^(.*):(\d+(?:\.\d+)?)$/s;

/** The prompt as text, also where it is a list of weighted prompts; its pictures are no text. */
export function promptText(prompt: Value | undefined): string {
  if (typeof prompt === "string") return prompt;
  if (!Array.isArray(prompt)) return "";
  const parts = prompt as WeightedPrompt[];
  return parts.flatMap((part) => (isPicture(part) ? [] : `${part.text ?? ""}:${part.weight ?? 1}`)).join(" | ");
}

/**
 * The way back: weighted prompts where the text is of that form, or else the text itself.
 * @param pictures that were beside the text, and stay there.
 */
export function promptFrom(text: string, pictures: readonly PicturePart[] = []): string | WeightedPrompt[] {
  const found = text.split(" | ").map((part) => WEIGHTED.exec(part));
  const isBlend = found.length + pictures.length > 1 && !found.includes(null);
  if (!isBlend && pictures.length === 0) return text;
  if (text.trim() === "") return [...pictures];
  const texts = isBlend ? found.map((part) => ({ text: part?.[1] ?? "", weight: Number(part?.[2]) })) : [{ text, weight: 1 }];
  return [...pictures, ...texts];
}

function parts(prompt: string): string[] {
  return prompt
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** The index at which the parts of `phrase` begin among those of `prompt`; -1 without them. */
function indexOf(prompt: string[], phrase: string[]): number {
  if (phrase.length === 0) return -1;
  return prompt.findIndex((_, start) =>
    phrase.every((part, offset) => part.toLowerCase() === prompt[start + offset]?.toLowerCase()),
  );
}

export function includesPhrase(prompt: string, phrase: Phrase): boolean {
  return indexOf(parts(prompt), parts(phrase.prompt)) >= 0;
}

function without(prompt: string, phrase: Phrase): string {
  const [words, sought] = [parts(prompt), parts(phrase.prompt)];
  const start = indexOf(words, sought);
  if (start >= 0) words.splice(start, sought.length);
  return words.join(", ");
}

/** Puts a style at the head of the prompt in place of the style it had; what else was written stays. */
export function setStyle(prompt: string, style: Phrase, all: readonly Phrase[]): string {
  const rest = all.reduce(without, prompt);
  return [style.prompt, rest].filter((part) => part !== "").join(", ");
}

/** Appends a mood, or takes it away where it is in the prompt. */
export function toggleMood(prompt: string, mood: Phrase): string {
  if (includesPhrase(prompt, mood)) return without(prompt, mood);
  return [...parts(prompt), mood.prompt].join(", ");
}

/** Those of the model in the package that look best and differ most, judged by eye; others follow as the model has them. */
const BEST = [
  "watercolour",
  "van gogh",
  "comic",
  "ukiyo-e",
  "pencil sketch",
  "fauvism",
  "impressionist",
  "pop art",
  "pen and ink",
  "cyberpunk",
  "gold",
  "photo",
];

export function bestFirst(styles: readonly Phrase[]): Phrase[] {
  const rank = ({ name }: Phrase) => (BEST.includes(name) ? BEST.indexOf(name) : BEST.length);
  return styles.toSorted((a, b) => rank(a) - rank(b));
}
