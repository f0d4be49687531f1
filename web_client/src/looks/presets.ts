/** Named looks in their order: the first nine are called by number keys. Pure. */

import { type Look, readLook } from "./look";

export interface Preset {
  name: string;
  look: Look;
}

export type Presets = readonly Preset[];

/** An imported file may have any number. */
const MAX_PRESETS = 100;
const MAX_NAME_CHARS = 40;
const KIND = "realtime presets";

/** Appends a preset; a name that is taken gets a number. */
export function added(presets: Presets, { name, look }: Preset): Presets {
  return [...presets, { name: freeName(presets, name), look }].slice(0, MAX_PRESETS);
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

/** Puts the present look in the place of a preset's. */
export function overwritten(presets: Presets, index: number, look: Look): Presets {
  return presets.map((preset, each) => (each === index ? { ...preset, look } : preset));
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
  const { name, look } = value as { name?: unknown; look?: unknown };
  const read = readLook(look);
  return typeof name === "string" && read ? { name: name.slice(0, MAX_NAME_CHARS), look: read } : null;
}

function freeName(presets: Presets, wanted: string): string {
  const name = wanted.trim().slice(0, MAX_NAME_CHARS) || "–";
  const taken = new Set(presets.map((preset) => preset.name));
  for (let number = 1; ; number++) {
    const numbered = number === 1 ? name : `${name} ${number}`;
    if (!taken.has(numbered)) return numbered;
  }
}
