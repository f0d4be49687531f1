/** The keyboard shortcuts: which key means what, and when a key belongs to the control that has the focus. */

import type { Studio } from "./studio";

const STRENGTH_SHARE = 0.05;

/** Types of input that take letters; in the others a letter can be a shortcut. */
const LETTERLESS = new Set(["range", "checkbox", "radio", "color", "button"]);

/** By name, not by class: an element of another window has classes of its own. */
function isElement(target: EventTarget | null): target is HTMLElement {
  return target !== null && "tagName" in target;
}

function isTyping(target: EventTarget | null): boolean {
  if (!isElement(target)) return false;
  if (target.tagName === "INPUT") return !LETTERLESS.has((target as HTMLInputElement).type);
  return target.tagName === "TEXTAREA" || target.tagName === "SELECT";
}

/** Space presses these by itself. */
function takesSpace(target: EventTarget | null): boolean {
  return isElement(target) && target.matches("button, summary, a, input");
}

export function bindKeys(studio: Studio, there: Document): void {
  there.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || isTyping(event.target) || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (undo(event, studio)) event.preventDefault();
      return;
    }
    // A dialog has the keyboard to itself, apart from the key that closes it again.
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    if (press(event, studio)) event.preventDefault();
  });
}

function undo(event: KeyboardEvent, { client }: Studio): boolean {
  if (event.key.toLowerCase() !== "z" || client.inputs.kind.peek() !== "canvas") return false;
  if (event.shiftKey) client.inputs.canvas.redo();
  else client.inputs.canvas.undo();
  return true;
}

/** What a key does once, however long it is held. Space stands apart: buttons take it. */
const once: Record<string, (studio: Studio) => void> = {
  " ": ({ client }) => client.setFrozen(!client.isFrozen.peek()),
  b: ({ view }) => toggle(view.isBypassed),
  p: ({ view }) => toggle(view.isPanicked),
  s: ({ keep }) => void keep.saveSnapshot(),
  z: ({ keep }) => keep.toggleRewind(),
  t: (studio) => void studio.tap(),
  n: (studio) => void studio.nextCue(),
  v: (studio) => studio.toggleRecording(),
  f: ({ view }) => view.toggleFullscreen(),
  h: ({ view }) => toggle(view.showsHud),
  l: ({ view }) => view.nextLayout(),
  o: (studio) => studio.openWindow(),
  "?": ({ view }) => {
    view.dialog.value = view.dialog.peek() === "help" ? null : "help";
  },
};

/** What a key does again and again while it is held. */
const repeated: Record<string, (studio: Studio) => void> = {
  r: (studio) => studio.newSeed(),
  "[": ({ client }) => client.nudge("strength", -STRENGTH_SHARE),
  "]": ({ client }) => client.nudge("strength", STRENGTH_SHARE),
  "<": ({ view }) => view.mixBy(-1),
  ">": ({ view }) => view.mixBy(1),
};

/** Returns whether the key was one of ours. */
function press(event: KeyboardEvent, studio: Studio): boolean {
  const key = event.key.toLowerCase();
  if (key === " " && takesSpace(event.target)) return false;
  if (/^[1-9]$/.test(key)) {
    if (!event.repeat) studio.looks.call(Number(key) - 1);
    return true;
  }
  const action = once[key] ?? repeated[key];
  if (!action) return false;
  if (!event.repeat || key in repeated) action(studio);
  return true;
}

function toggle(flag: { value: boolean; peek(): boolean }): void {
  flag.value = !flag.peek();
}
