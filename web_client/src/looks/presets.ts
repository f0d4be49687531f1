/** Named looks in their order: the first nine are called by number keys. Pure. */

import { type Look, readLook } from "./look";

export interface Preset {
  name: string;
  look: Look;
  /** What it made when it was saved: a small JPEG in base64. */
  picture?: string;
}

export type Presets = readonly Preset[];

/** An imported file may have any number. */
const MAX_PRESETS = 100;
const MAX_NAME_CHARS = 40;
/** A picture of more than the server takes is none. */
const MAX_PICTURE_CHARS = 16_384;
const JPEG = /^\/9j\/[A-Za-z0-9+/]*={0,2}$/;
const KIND = "realtime presets";

/** Appends a preset; a name that is taken gets a number. */
export function added(presets: Presets, preset: Preset): Presets {
  return [...presets, { ...preset, name: freeName(presets, preset.name) }].slice(0, MAX_PRESETS);
}

export function removed(presets: Presets, index: number): Presets {
  return presets.filter((_, each) => each !== index);
}

export function renamed(presets: Presets, index: number, name: string): Presets {
  const others = removed(presets, index);
  return presets.map((preset, each) => (each === index ? { ...preset, name: freeName(others, name) } : preset));
}

/** Gives a preset's look a transition of so many seconds. */
export function retimed(presets: Presets, index: number, transition_s: number): Presets {
  return presets.map((preset, each) => {
    return each === index ? { ...preset, look: { ...preset.look, transition_s } } : preset;
  });
}

/** Puts the present look, with its picture, in the place of a preset's. */
export function overwritten(presets: Presets, index: number, look: Look, picture?: string): Presets {
  return presets.map((preset, each) => (each === index ? withPicture(preset.name, look, picture) : preset));
}

function withPicture(name: string, look: Look, picture: unknown): Preset {
  return { name, look, ...(isSmallJpeg(picture) && { picture }) };
}

/** Whether something is a picture of a preset. */
export function isSmallJpeg(picture: unknown): picture is string {
  return typeof picture === "string" && picture.length <= MAX_PICTURE_CHARS && JPEG.test(picture);
}

/** Moves one of a list up or down: a preset, and with it its number key, or a cue. */
export function moved<T>(list: readonly T[], index: number, by: number): T[] {
  const rest = [...list];
  const one = rest.splice(index, 1);
  rest.splice(Math.min(rest.length, Math.max(0, index + by)), 0, ...one);
  return rest;
}

/** A name from the first words of the prompt. */
export function nameFor(prompt: string): string {
  const words = prompt.split(",")[0]?.trim() ?? "";
  return words.length > 24 ? `${words.slice(0, 23).trimEnd()}…` : words;
}

export function exported(presets: Presets): string {
  return JSON.stringify({ kind: KIND, version: 1, presets }, null, 2);
}

/**
 * The presets of an exported file, or of what was kept.
 * @returns null where it is no such thing; entries that are no presets are left out.
 */
export function readPresets(value: unknown): Presets | null {
  const list = Array.isArray(value) ? value : (value as { presets?: unknown } | null)?.presets;
  if (!Array.isArray(list)) return null;
  const presets = list.slice(0, MAX_PRESETS).map(readPreset);
  return presets.filter((preset) => preset !== null);
}

export function readPreset(value: unknown): Preset | null {
  if (typeof value !== "object" || value === null) return null;
  const { name, look, picture } = value as { name?: unknown; look?: unknown; picture?: unknown };
  const read = readLook(look);
  return typeof name === "string" && read ? withPicture(name.slice(0, MAX_NAME_CHARS), read, picture) : null;
}

function freeName(presets: Presets, wanted: string): string {
  const name = wanted.trim().slice(0, MAX_NAME_CHARS) || "–";
  const taken = new Set(presets.map((preset) => preset.name));
  for (let number = 1; ; number++) {
    const numbered = number === 1 ? name : `${name} ${number}`;
    if (!taken.has(numbered)) return numbered;
  }
}
