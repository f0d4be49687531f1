/** While knobs are learned, a press on a control chooses it, and does nothing else. */

import type { Controller } from "../../vj/controller";

/** What a control's `data-midi` names is a target of `vj/targets.ts`. */
const CONTROL = "[data-midi]";
/** What would press a control, or begin to drag it. */
const PRESSES = ["pointerdown", "mousedown", "touchstart", "click"] as const;

/** Ends with Escape; the returned function ends it, too. */
export function bindLearning(controller: Controller, there: Document): () => void {
  const choose = (event: Event): void => {
    const control = (event.target as Element | null)?.closest?.<HTMLElement>(CONTROL);
    if (!control) return;
    event.preventDefault();
    event.stopPropagation();
    controller.learns.value = control.dataset.midi ?? null;
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") void controller.toggleLearning();
    else if (event.key === "Enter" || event.key === " ") choose(event);
    else return;
    event.stopPropagation();
  };
  for (const press of PRESSES) there.addEventListener(press, choose, { capture: true, passive: false });
  there.addEventListener("keydown", onKey, { capture: true });
  there.documentElement.dataset.learning = "true";
  return () => {
    for (const press of PRESSES) there.removeEventListener(press, choose, { capture: true });
    there.removeEventListener("keydown", onKey, { capture: true });
    delete there.documentElement.dataset.learning;
  };
}
