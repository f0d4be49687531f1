/** The keyboard shortcuts, and when a key is the focused control's own. Doesn't know what the actions do. */

/** What keys do, apart from calling presets by their number. */
export type KeyAction =
  | "freeze"
  | "bypass"
  | "panic"
  | "snapshot"
  | "rewind"
  | "tap"
  | "nextCue"
  | "record"
  | "fullscreen"
  | "measurements"
  | "layout"
  | "window"
  | "help"
  | "seed"
  | "lessStrength"
  | "moreStrength"
  | "lessOutput"
  | "moreOutput";

export interface KeyTargets {
  readonly actions: Readonly<Record<KeyAction, () => void>>;
  readonly callPreset: (index: number) => void;
  /** The drawing's way back; null while something else is the input. */
  readonly drawing: { undo(): void; redo(): void } | null;
}

/** What a key does once, however long it is held. Space stands apart: buttons take it. */
const once: Readonly<Record<string, KeyAction>> = {
  " ": "freeze",
  b: "bypass",
  p: "panic",
  s: "snapshot",
  z: "rewind",
  t: "tap",
  n: "nextCue",
  v: "record",
  f: "fullscreen",
  h: "measurements",
  l: "layout",
  o: "window",
  "?": "help",
};

/** What a key does again and again while it is held. */
const repeated: Readonly<Record<string, KeyAction>> = {
  r: "seed",
  "[": "lessStrength",
  "]": "moreStrength",
  "<": "lessOutput",
  ">": "moreOutput",
};

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

/** @param there the document whose keys these are: the page's, or the output window's. */
export function bindKeys(targets: KeyTargets, there: Document): void {
  there.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || isTyping(event.target) || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (undo(event, targets)) event.preventDefault();
      return;
    }
    // A dialog has the keyboard to itself, apart from the key that closes it again.
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    if (press(event, targets)) event.preventDefault();
  });
}

function undo(event: KeyboardEvent, { drawing }: KeyTargets): boolean {
  if (event.key.toLowerCase() !== "z" || !drawing) return false;
  if (event.shiftKey) drawing.redo();
  else drawing.undo();
  return true;
}

/** Returns whether the key was one of ours. */
function press(event: KeyboardEvent, { actions, callPreset }: KeyTargets): boolean {
  const key = event.key.toLowerCase();
  if (key === " " && takesSpace(event.target)) return false;
  if (/^[1-9]$/.test(key)) {
    if (!event.repeat) callPreset(Number(key) - 1);
    return true;
  }
  const action = once[key] ?? repeated[key];
  if (!action) return false;
  if (!event.repeat || key in repeated) actions[action]();
  return true;
}
