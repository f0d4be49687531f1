import { beforeEach, describe, expect, test, vi } from "vitest";
import { bindKeys, type KeyAction } from "../../src/studio/keys";

/** An element as far as keys ask. */
function element(tagName: string, type = "") {
  const isPressedBySpace = ["BUTTON", "SUMMARY", "A", "INPUT"].includes(tagName);
  const isControl = ["BUTTON", "SUMMARY", "SELECT"].includes(tagName);
  const one = { tagName, type, matches: () => isPressedBySpace, closest: () => (isControl ? one : null), blur: vi.fn() };
  return one as unknown as HTMLElement;
}

let done: KeyAction[];
let called: number[];
let drawing: { undo: () => void; redo: () => void } | null;
let isDialogOpen: boolean;
let press: (key: string, event?: Partial<KeyboardEvent>) => boolean;
/** Something other than a key happens to an element. */
let happens: (type: "pointerdown" | "click" | "change", target: HTMLElement) => void;

beforeEach(() => {
  done = [];
  called = [];
  drawing = null;
  isDialogOpen = false;
  vi.stubGlobal("document", { querySelector: () => (isDialogOpen ? {} : null) });
  const actions = new Proxy({} as Record<KeyAction, () => void>, {
    get: (_, name: KeyAction) => () => done.push(name),
  });
  const listeners: Record<string, (event: unknown) => void> = {};
  const there = {
    addEventListener: (type: string, hears: (event: unknown) => void) => (listeners[type] = hears),
  } as unknown as Document;
  const targets = {
    actions,
    callPreset: (index: number) => called.push(index),
    callClip: (index: number) => called.push(100 + index),
    get drawing() {
      return drawing;
    },
  };
  bindKeys(targets, there);
  press = (key, event = {}) => {
    const preventDefault = vi.fn();
    listeners.keydown?.({ key, target: null, repeat: false, ...event, preventDefault });
    return preventDefault.mock.calls.length > 0;
  };
  happens = (type, target) => listeners[type]?.({ target });
});

test("figures call presets, and what lies on their keys otherwise, clips", () => {
  press("2", { code: "Digit2" });
  press("@", { code: "Digit2", shiftKey: true });
  // French keyboards have the figures above.
  press("&", { code: "Digit1" });
  press("1", { code: "Digit1", shiftKey: true });
  // What has a meaning of its own keeps it, wherever it lies.
  press("[", { code: "Digit5" });
  expect(called).toEqual([1, 101, 100, 0]);
  expect(done).toEqual(["lessStrength"]);
});

test("the crossfader moves for as long as its key is held, a cut is one", () => {
  press(".");
  press(".", { repeat: true });
  press(",");
  press("c");
  press("c", { repeat: true });
  press("a");
  expect(done).toEqual(["towardsB", "towardsB", "towardsA", "cut", "fade"]);
});

test("a key does one thing, whatever its case, and is not the browser's any more", () => {
  expect(press("B")).toBe(true);
  expect(press(" ")).toBe(true);
  expect(press("q")).toBe(false);
  expect(done).toEqual(["bypass", "freeze"]);
});

test("numbers call presets", () => {
  press("3");
  press("3", { repeat: true });
  press("0");
  expect(called).toEqual([2]);
});

test("a key that is held repeats what is moved, and nothing that is switched", () => {
  expect(press("[", { repeat: true })).toBe(true);
  expect(press("p", { repeat: true })).toBe(true);
  expect(done).toEqual(["lessStrength"]);
});

describe("keys belong to what has the focus", () => {
  test.each([
    ["a text", element("INPUT", "text"), "b", false],
    ["a prompt", element("TEXTAREA"), "b", false],
    ["a list", element("SELECT"), "b", false],
    ["a slider", element("INPUT", "range"), "b", true],
    ["a button", element("BUTTON"), "b", true],
    ["a button", element("BUTTON"), " ", false],
    ["a link", element("A"), " ", false],
    ["nothing that is pressed", element("DIV"), " ", true],
  ])("%s: %#", (_, target, key, isOurs) => {
    expect(press(key, { target })).toBe(isOurs);
  });

  test("Space after a click on a button is the page's, and presses the button no more", () => {
    const panic = element("BUTTON");
    happens("pointerdown", panic);
    happens("click", panic);
    expect(press(" ", { target: panic })).toBe(true);
    expect(panic.blur).toHaveBeenCalledOnce();
    expect(done).toEqual(["freeze"]);
  });

  test("Space on a button that was pressed by key goes on to press it", () => {
    const panic = element("BUTTON");
    happens("pointerdown", element("DIV"));
    press("Tab", { target: element("DIV") });
    happens("click", panic);
    expect(press(" ", { target: panic })).toBe(false);
  });

  test("letters are the page's again once a list was chosen from by pointer, and the list's while it is open", () => {
    const list = element("SELECT");
    happens("pointerdown", list);
    happens("click", list);
    expect(press("p", { target: list })).toBe(false);
    happens("pointerdown", list);
    happens("change", list);
    expect(press("p", { target: list })).toBe(true);
    expect(done).toEqual(["panic"]);
  });

  test("letters stay those of a list that is chosen from by key", () => {
    const list = element("SELECT");
    press("ArrowDown", { target: list });
    happens("change", list);
    expect(press("p", { target: list })).toBe(false);
  });

  test("all but the key of the help are an open dialog's", () => {
    isDialogOpen = true;
    press("b");
    press("?");
    expect(done).toEqual(["help"]);
  });

  test("keys that somebody else took are theirs", () => {
    press("b", { defaultPrevented: true });
    press("b", { altKey: true });
    press("b", { ctrlKey: true });
    expect(done).toEqual([]);
  });
});

test("Ctrl Z is the drawing's, where one is the input", () => {
  expect(press("z", { ctrlKey: true })).toBe(false);
  drawing = { undo: vi.fn(), redo: vi.fn() };
  expect(press("z", { metaKey: true })).toBe(true);
  expect(press("Z", { ctrlKey: true, shiftKey: true })).toBe(true);
  expect(drawing.undo).toHaveBeenCalledOnce();
  expect(drawing.redo).toHaveBeenCalledOnce();
  expect(done).toEqual([]);
});
