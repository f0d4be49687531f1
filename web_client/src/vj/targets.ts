/** What a knob or a key of a controller can move: settings, amounts of the page, what is done at once, presets. */

import { balanced, blendOf } from "../looks/blend";
import type { NumberControl } from "../params/schema";
import type { Studio } from "../studio/studio";
import { type MidiEvent, scaled } from "./midi";

/** What a key does besides moving a number. */
export const actions = [
  "freeze",
  "bypass",
  "panic",
  "snapshot",
  "record",
  "rewind",
  "layout",
  "seed",
  "tap",
  "cues",
  "nextCue",
] as const;
export type Action = (typeof actions)[number];

/** What a knob moves that is no setting of the server: the wipe or the opacity, the slider between two prompts. */
export const amounts = ["mix", "balance"] as const;
export type Amount = (typeof amounts)[number];

/** The show's own actions. */
export type ShowActions = Record<"tap" | "cues" | "nextCue", () => void>;

export function numbersOf({ client }: Studio): NumberControl[] {
  return client.controls.value.filter(
    (control) => control.kind === "number" && control.min !== null && control.max !== null,
  ) as NumberControl[];
}

export function moveTarget(studio: Studio, show: ShowActions, target: string, { value, isKey }: MidiEvent): void {
  const preset = target.match(/^preset (\d+)$/)?.[1];
  const action = actions.find((each) => each === target);
  const amount = amounts.find((each) => each === target);
  // A knob as a switch: it acts when it passes the upper half.
  const isPressed = isKey || value >= 0.5;
  if (preset !== undefined) {
    if (isPressed) studio.looks.call(Number(preset) - 1);
  } else if (action) {
    if (isPressed) actionsOf(studio, show)[action]();
  } else if (amount) moveAmount(studio, amount, value);
  else {
    const control = numbersOf(studio).find(({ name }) => name === target);
    if (control) studio.client.params.edit(target, scaled(control, value), "sliding");
  }
}

function moveAmount({ client, view }: Studio, amount: Amount, value: number): void {
  if (amount === "mix") {
    view.amount.value = value;
    return;
  }
  const prompts = blendOf(client.params.shown.peek().prompt);
  if (prompts?.length === 2) client.params.edit("prompt", balanced(prompts, value), "sliding");
}

function actionsOf(studio: Studio, show: ShowActions): Record<Action, () => void> {
  const { client, view, keep } = studio;
  return {
    freeze: () => client.setFrozen(!client.isFrozen.peek()),
    bypass: () => (view.isBypassed.value = !view.isBypassed.peek()),
    panic: () => (view.isPanicked.value = !view.isPanicked.peek()),
    snapshot: () => void keep.saveSnapshot(),
    record: () => studio.toggleRecording(),
    rewind: () => keep.toggleRewind(),
    layout: () => view.nextLayout(),
    seed: () => studio.newSeed(),
    ...show,
  };
}
