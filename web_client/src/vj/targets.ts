/** Moves what a controller's knob or key is bound to. Knows neither the page nor MIDI's bytes. */

import type { ReadonlySignal } from "@preact/signals";
import { balanced, blendOf } from "../looks/blend";
import { changed, MAX_WEIGHT, rowsOf } from "../params/control";
import type { Edit } from "../params/params";
import type { ReadyMade } from "../params/ready_made";
import type { Control, NumberControl } from "../params/schema";
import type { Value } from "../protocol";
import { type MidiEvent, scaled } from "./midi";

/** What the page does once when a key is pressed. */
export const pageActions = [
  "freeze",
  "bypass",
  "panic",
  "snapshot",
  "record",
  "rewind",
  "layout",
  "seed",
  "cut",
  "fade",
] as const;
export type PageAction = (typeof pageActions)[number];

/** What the show itself does when a key is pressed. */
export const showActions = ["tap", "cues", "nextCue"] as const;
export type ShowAction = (typeof showActions)[number];

/** In the order in which they are listed. */
export const actions = [...pageActions, ...showActions] as const;

/** What knobs move besides settings: the wipe or the opacity, the slider between two prompts, that between two decks. */
export const amounts = ["mix", "balance", "crossfade"] as const;
export type Amount = (typeof amounts)[number];

export interface Targets {
  /** The settings that have a range. */
  numbers: ReadonlySignal<readonly NumberControl[]>;
  /** The params in view. */
  shown: ReadonlySignal<Readonly<Record<string, Value>>>;
  edit: Edit;
  /** Sets the wipe or the opacity, whichever is in use: 0–1. */
  mix: (amount: number) => void;
  /** Sets the crossfader between the decks: 0–1. */
  crossfade: (amount: number) => void;
  callPreset: (index: number, transition_s?: number) => void;
  callClip: (index: number) => void;
  /** Those that this model can follow. */
  readyMades: ReadonlySignal<readonly ReadyMade[]>;
  toggle: (one: ReadyMade) => void;
  actions: Readonly<Record<PageAction | ShowAction, () => void>>;
}

export function numbersIn(controls: readonly Control[]): NumberControl[] {
  return controls.filter((control) => control.kind === "number" && control.min !== null && control.max !== null) as
    NumberControl[];
}

/** The target that calls what is ready made. */
export function targetOf({ name }: ReadyMade): string {
  return `ready ${name}`;
}

/** The target that is the weight of a net, by its number from 1 on; undefined where it is another. */
export function rowOfTarget(target: string): number | undefined {
  const number = /^control ([1-4])$/.exec(target)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** @param target a setting's name, `control 1` and so on, one of `actions` or `amounts`, `preset 1`, `clip 1` and so on, or a `targetOf`. */
export function moveTarget(targets: Targets, target: string, { value, isKey }: MidiEvent): void {
  const [, pads, number] = /^(preset|clip) (\d+)$/.exec(target) ?? [];
  const ready = targets.readyMades.peek().find((one) => targetOf(one) === target);
  const action = actions.find((each) => each === target);
  const amount = amounts.find((each) => each === target);
  const row = rowOfTarget(target);
  // A knob as a switch: it acts when it passes the upper half.
  const isPressed = isKey || value >= 0.5;
  if (number !== undefined) {
    if (isPressed) targets[pads === "clip" ? "callClip" : "callPreset"](Number(number) - 1);
  } else if (ready) {
    if (isPressed) targets.toggle(ready);
  } else if (action) {
    if (isPressed) targets.actions[action]();
  } else if (amount) moveAmount(targets, amount, value);
  else if (row !== undefined) moveWeight(targets, row, value);
  else {
    const control = targets.numbers.peek().find(({ name }) => name === target);
    if (control) targets.edit(target, scaled(control, value), "sliding");
  }
}

function moveWeight({ shown, edit }: Targets, row: number, value: number): void {
  const rows = rowsOf(shown.peek().control);
  const weight = Math.round(value * MAX_WEIGHT * 100) / 100;
  if (rows.length >= row) edit("control", changed(rows, row - 1, { weight }), "sliding");
}

function moveAmount({ mix, crossfade, shown, edit }: Targets, amount: Amount, value: number): void {
  if (amount !== "balance") {
    (amount === "mix" ? mix : crossfade)(value);
    return;
  }
  const prompts = blendOf(shown.peek().prompt);
  if (prompts?.length === 2) edit("prompt", balanced(prompts, value), "sliding");
}
