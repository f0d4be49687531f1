/** Ready-made values for the settings of a group, each called by one click and taken back by another. Pure. */

import type { Strings } from "../languages/strings";
import type { Value } from "../protocol";
import type { Control } from "./schema";

/** The groups of settings in the order in which they are shown, by their names in the server's schema. */
export const groups = ["amount", "matte", "calm", "motion"] as const;
export type Group = (typeof groups)[number];

export interface ReadyMade {
  name: keyof Strings["readyMade"];
  /** null: the server's default. Fields that aren't named stay as they are, so those of different ends go together. */
  values: Readonly<Record<string, Value>>;
}

/**
 * Feedback above 0.4 flashes with styles that turn light into dark: on the embedded model's neon, before a picture that
 * rests, one frame differs from the next by 8 levels of 255 at 0.4, by 21 at 0.5, by 34 at 0.6.
 */
const FEEDBACK = 0.4;
const UNMOVED = { feedback: null, feedback_zoom: null, feedback_turn: null, seed_travel: null };

export const readyMades: readonly ReadyMade[] = [
  { name: "touch", values: { strength: null, amount: 0.5 } },
  { name: "asModel", values: { strength: null, amount: null } },
  { name: "daring", values: { strength: null, amount: 1.5 } },
  { name: "onlyMe", values: { matte: "person", beyond: "input" } },
  { name: "behindMe", values: { matte: "background", beyond: "input" } },
  { name: "forObs", values: { matte: "person", beyond: "key" } },
  { name: "steady", values: { calm: 0.6 } },
  { name: "verySteady", values: { calm: 0.9 } },
  { name: "tunnel", values: { ...UNMOVED, feedback: FEEDBACK, feedback_zoom: 1.05, feedback_turn: 3 } },
  { name: "breathe", values: { ...UNMOVED, feedback: 0.3, seed_travel: 120 } },
  { name: "dissolve", values: { transition_s: 3 } },
];

/** Those of which each field has one of the controls, which takes its value. */
export function available(controls: readonly Control[]): ReadyMade[] {
  const takes = (field: string, value: Value) => {
    const control = controls.find(({ name }) => name === field);
    if (control?.kind === "choice") return value === null || control.options.some((option) => option === value);
    return control !== undefined;
  };
  return readyMades.filter(({ values }) => Object.entries(values).every(([field, value]) => takes(field, value)));
}

/** Whether all that it sets is so. */
export function isOn(one: ReadyMade, shown: Readonly<Record<string, Value>>, controls: readonly Control[]): boolean {
  return Object.entries(called(one, controls)).every(([field, value]) => shown[field] === value);
}

/** What calls it, or, where it is on, what takes it back: the defaults of its fields. */
export function toggled(
  one: ReadyMade,
  shown: Readonly<Record<string, Value>>,
  controls: readonly Control[],
): Record<string, Value> {
  if (!isOn(one, shown, controls)) return called(one, controls);
  return Object.fromEntries(Object.keys(one.values).map((field) => [field, defaultOf(field, controls)]));
}

function called({ values }: ReadyMade, controls: readonly Control[]): Record<string, Value> {
  const entries = Object.entries(values);
  return Object.fromEntries(entries.map(([field, value]) => [field, value ?? defaultOf(field, controls)]));
}

function defaultOf(field: string, controls: readonly Control[]): Value {
  return controls.find(({ name }) => name === field)?.neutral ?? null;
}
