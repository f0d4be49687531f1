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
  | "saveLook"
  | "record"
  | "fullscreen"
  | "measurements"
  | "layout"
  | "swap"
  | "window"
  | "help"
  | "decks"
  | "cut"
  | "fade"
  | "towardsA"
  | "towardsB"
  | "seed"
  | "lessStrength"
  | "moreStrength"
  | "lessOutput"
  | "moreOutput";

export interface KeyTargets {
  readonly actions: Readonly<Record<KeyAction, () => void>>;
  readonly callPreset: (index: number) => void;
  readonly callClip: (index: number) => void;
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
  k: "saveLook",
  v: "record",
  f: "fullscreen",
  h: "measurements",
  l: "layout",
  x: "swap",
  o: "window",
  d: "decks",
  c: "cut",
  a: "fade",
  "?": "help",
};

/** What a key does again and again while it is held. */
const repeated: Readonly<Record<string, KeyAction>> = {
  r: "seed",
  ",": "towardsA",
  ".": "towardsB",
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
  const pointer = followPointer(there);
  there.addEventListener("keydown", (event) => {
    const isFree = pointer.hasLeft(event.target);
    if (event.defaultPrevented || event.altKey || (isTyping(event.target) && !isFree)) return;
    if (event.ctrlKey || event.metaKey) {
      if (undo(event, targets)) event.preventDefault();
      return;
    }
    // A dialog has the keyboard to itself, apart from the key that closes it again.
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    if (!press(event, targets, isFree)) return;
    event.preventDefault();
    // Some browsers press a button when Space is let go, whatever became of its going down.
    if (isFree) (event.target as HTMLElement).blur();
  });
}

/**
 * A button that was clicked, and a list that was chosen from, keep the focus though their user is done with them: keys
 * are the page's again. Somebody who goes by the keyboard is still there.
 */
function followPointer(there: Document): { hasLeft(target: EventTarget | null): boolean } {
  let isPointing = false;
  let left: EventTarget | null = null;
  const leave = ({ target }: Event): void => {
    const control = isElement(target) ? target.closest("button, summary, select") : null;
    if (isPointing && control) left = control;
  };
  there.addEventListener("pointerdown", () => {
    isPointing = true;
    left = null;
  });
  there.addEventListener("click", (event) => {
    // A list is open then: its letters are its own until one is chosen.
    if (isElement(event.target) && event.target.tagName !== "SELECT") leave(event);
  });
  there.addEventListener("change", leave);
  return {
    hasLeft(target) {
      isPointing = false;
      return target !== null && target === left;
    },
  };
}

function undo(event: KeyboardEvent, { drawing }: KeyTargets): boolean {
  if (event.key.toLowerCase() !== "z" || !drawing) return false;
  if (event.shiftKey) drawing.redo();
  else drawing.undo();
  return true;
}

/** Returns whether the key was one of ours. */
function press(event: KeyboardEvent, { actions, callPreset, callClip }: KeyTargets, isFree: boolean): boolean {
  const key = event.key.toLowerCase();
  if (key === " " && !isFree && takesSpace(event.target)) return false;
  if (/^[1-9]$/.test(key)) {
    if (!event.repeat) callPreset(Number(key) - 1);
    return true;
  }
  const action = once[key] ?? repeated[key];
  if (!action) {
    // With Shift, or where the layout has figures behind it, without.
    const number = /^Digit([1-9])$/.exec(event.code)?.[1];
    if (number && !event.repeat) callClip(Number(number) - 1);
    return number !== undefined;
  }
  if (!event.repeat || key in repeated) actions[action]();
  return true;
}
