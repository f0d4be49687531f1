/** A look: the params that make a picture what it is, without those of size, sending and speed. Pure. */

import { isControl } from "../params/control";
import type { Params, Value, WeightedPrompt } from "../protocol";

export type Look = Readonly<Record<string, Value>>;

/** Fields of size, sending and speed. Every other field, of newer servers too, is part of the look. */
const NO_LOOK = new Set([
  "version",
  "width",
  "height",
  "output_format",
  "output_quality",
  "skip_unchanged",
  "fallback",
  "latency_ms",
  "min_fps",
  "min_steps",
  "min_nets",
  "min_scale",
  "min_quality",
]);
/** Of a look that is saved: how fast it comes is said by who calls it, unless it was given a time of its own. */
const TRANSITION = "transition_s";

const MAX_TEXT_CHARS = 2000;
const MAX_PROMPTS = 8;
const MAX_FIELDS = 64;
const PICTURE_ID = /^[0-9a-f]{32}$/;

export function lookOf(params: Readonly<Record<string, Value>>): Look {
  return Object.fromEntries(Object.entries(params).filter(([field]) => !NO_LOOK.has(field) && field !== TRANSITION));
}

/** Seconds that a transition takes at most. */
export const MAX_TRANSITION_S = 60;

/** The seconds in which a look is glided to, which are its own and not the params'; undefined where it doesn't say. */
export function transitionOf({ transition_s }: Look): number | undefined {
  return typeof transition_s === "number" && transition_s > 0 ? transition_s : undefined;
}

/** Whether params show a look, as far as they have its fields. */
export function isShown(look: Look, params: Params): boolean {
  const fields = Object.entries(look).filter(([field]) => field !== TRANSITION && field in params);
  return fields.length > 0 && fields.every(([field, value]) => JSON.stringify(value) === JSON.stringify(params[field]));
}

/** The patch that puts a look in force: its fields that this server has, without a locked seed and the transition. */
export function patchFor(look: Look, params: Params | null, keepsSeed: boolean): Record<string, Value> {
  const fields = Object.entries(look).filter(([field]) => {
    const isTaken = params !== null && field in params && !NO_LOOK.has(field);
    return isTaken && field !== TRANSITION && !(keepsSeed && field === "seed");
  });
  return Object.fromEntries(fields);
}

/**
 * A look from anywhere (a file, an address): what is no value of a param is left out; the server checks the rest.
 * @returns null where nothing is left.
 */
export function readLook(value: unknown): Look | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const fields = Object.entries(value)
    .slice(0, MAX_FIELDS)
    .filter(([field, each]) => /^[a-z][a-z0-9_]{0,63}$/.test(field) && !NO_LOOK.has(field) && fits(field, each));
  return fields.length > 0 ? (Object.fromEntries(fields) as Look) : null;
}

function fits(field: string, value: unknown): boolean {
  if (field === "control") return isControl(value);
  // Without a prompt there is no picture; without references there is.
  return isValue(value) && !(field === "prompt" && Array.isArray(value) && value.length === 0);
}

function isValue(value: unknown): value is Value {
  if (typeof value === "string") return value.length <= MAX_TEXT_CHARS;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value)) return value.length <= MAX_PROMPTS && value.every(isWeighted);
  return typeof value === "boolean" || value === null;
}

export function isWeighted(value: unknown): value is WeightedPrompt {
  if (typeof value !== "object" || value === null) return false;
  const { text, picture, weight } = value as { text?: unknown; picture?: unknown; weight?: unknown };
  const isText = typeof text === "string" && text.length <= MAX_TEXT_CHARS && picture === undefined;
  const isOfPicture = typeof picture === "string" && PICTURE_ID.test(picture) && text === undefined;
  return (isText || isOfPicture) && typeof weight === "number" && weight >= 0;
}
