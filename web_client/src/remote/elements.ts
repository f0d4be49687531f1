/** What the remote is made of, without a framework: a phone loads as little as can be. */

import type { Clock } from "../browser/clock";

/** As often as a finger that slides is told. */
const SLIDE_MS = 60;

export function button(text: string, act: () => void): HTMLButtonElement {
  return Object.assign(document.createElement("button"), { type: "button", textContent: text, onclick: act });
}

export function labelled(text: string, field: HTMLElement): HTMLElement {
  const label = document.createElement("label");
  label.append(text, field);
  return label;
}

export function row(text: string, fields: readonly HTMLElement[]): HTMLElement {
  const made = document.createElement("div");
  made.role = "group";
  made.ariaLabel = text;
  made.append(...fields);
  return made;
}

/** From 0 to 1. @param slid told while a finger slides, and where it has ended. */
export function slider(clock: Clock, step: number, slid: (value: number) => void): HTMLInputElement {
  const input = Object.assign(document.createElement("input"), { type: "range", min: "0", max: "1", step: String(step) });
  let slidAt_ms = -SLIDE_MS;
  input.onchange = () => slid(input.valueAsNumber);
  input.oninput = () => {
    if (clock.now() - slidAt_ms < SLIDE_MS) return;
    slidAt_ms = clock.now();
    slid(input.valueAsNumber);
  };
  return input;
}
