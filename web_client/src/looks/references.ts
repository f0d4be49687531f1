/** References: pictures that others are to be like, beside the prompt, on models with an adapter for them. Pure. */

import type { Reference, Value } from "../protocol";
import { isWeighted } from "./look";

export const MAX_REFERENCES = 4;
/** The server's own default. */
const WEIGHT = 0.6;
export const MAX_WEIGHT = 2;

/** The references of a params value; none where it has none. */
export function referencesOf(value: Value | undefined): Reference[] {
  return Array.isArray(value) ? (value.filter((one) => isWeighted(one) && "picture" in one) as Reference[]) : [];
}

/** With a picture more, in place of the oldest where there are enough; or without it, where it is one of them. */
export function toggled(references: readonly Reference[], picture: string): Reference[] {
  const others = references.filter((one) => one.picture !== picture);
  if (others.length < references.length) return others;
  return [...others, { picture, weight: WEIGHT }].slice(-MAX_REFERENCES);
}

export function changed(references: readonly Reference[], index: number, change: Partial<Reference>): Reference[] {
  return references.map((one, each) => (each === index ? { ...one, ...change } : one));
}
