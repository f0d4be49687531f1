/** The keyboard shortcuts: which key means what, and when a key belongs to the control that has the focus. */

import type { Client } from "./client";
import type { View } from "./view";

const STRENGTH_SHARE = 0.05;

/** Types of input that take letters; in the others a letter can be a shortcut. */
const LETTERLESS = new Set(["range", "checkbox", "radio", "color", "button"]);

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !LETTERLESS.has(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Space presses these by itself. */
function takesSpace(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("button, summary, a, input");
}

export function bindKeys(client: Client, view: View): void {
  document.addEventListener("keydown", (event) => {
    if (isTyping(event.target) || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "z" || client.sourceKind.peek() !== "canvas") return;
      if (event.shiftKey) client.canvas.redo();
      else client.canvas.undo();
      event.preventDefault();
      return;
    }
    if (press(event, client, view)) event.preventDefault();
  });
}

/** Returns whether the key was one of ours. */
function press(event: KeyboardEvent, client: Client, view: View): boolean {
  switch (event.key.toLowerCase()) {
    case " ":
      if (takesSpace(event.target)) return false;
      if (!event.repeat) client.setFrozen(!client.isFrozen.peek());
      return true;
    case "r":
      client.newSeed();
      return true;
    case "s":
      if (!event.repeat) void client.saveSnapshot();
      return true;
    case "f":
      view.toggleFullscreen();
      return true;
    case "h":
      view.showsHud.value = !view.showsHud.peek();
      return true;
    case "[":
      client.nudge("strength", -STRENGTH_SHARE);
      return true;
    case "]":
      client.nudge("strength", STRENGTH_SHARE);
      return true;
    default:
      return false;
  }
}
