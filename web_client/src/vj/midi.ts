/** Reads MIDI messages, and keeps which knob or key moves what. Pure. */

import type { NumberControl } from "../params/schema";

/** A knob, fader or key, by its kind, channel (1–16) and number: `cc 1 20`, `note 1 36`. */
export type MidiKey = string;

export interface MidiEvent {
  key: MidiKey;
  /** The knob's position or the key's velocity, 0–1. */
  value: number;
  isKey: boolean;
}

const NOTE_ON = 0x90;
const CONTROL_CHANGE = 0xb0;

/** The event of a message; null for what is neither a knob nor a key going down. Source: MIDI 1.0, table I. */
export function midiEvent(data: ArrayLike<number>): MidiEvent | null {
  const [status = 0, number = 0, value = 0] = [data[0], data[1], data[2]];
  const channel = (status & 0x0f) + 1;
  switch (status & 0xf0) {
    case CONTROL_CHANGE:
      return { key: `cc ${channel} ${number}`, value: value / 127, isKey: false };
    case NOTE_ON:
      return value > 0 ? { key: `note ${channel} ${number}`, value: value / 127, isKey: true } : null;
    default:
      return null;
  }
}

/** The value of a number field at a knob's position, on one of the field's steps. */
export function scaled({ min, max, step }: Pick<NumberControl, "min" | "max" | "step">, value: number): number {
  const [low, high] = [min ?? 0, max ?? 1];
  const stepped = low + Math.round((value * (high - low)) / step) * step;
  return Number(Math.min(high, Math.max(low, stepped)).toFixed(6));
}

/** The target of each knob and key. */
export type Bindings = Readonly<Record<MidiKey, string>>;

/** A target has one key, and a key one target. */
export function bound(bindings: Bindings, key: MidiKey, target: string): Bindings {
  return { ...unbound(bindings, target), [key]: target };
}

export function unbound(bindings: Bindings, target: string): Bindings {
  return Object.fromEntries(Object.entries(bindings).filter(([, each]) => each !== target));
}

export function readBindings(value: unknown): Bindings | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const isBinding = ([key, target]: [string, unknown]) => /^(cc|note) \d+ \d+$/.test(key) && typeof target === "string";
  return Object.fromEntries(Object.entries(value).filter(isBinding)) as Bindings;
}
