import { beforeEach, expect, test, vi } from "vitest";
import { arranged, Inset, messagesAround } from "../../src/studio/stage";

let texts: Map<string, string>;

beforeEach(() => {
  texts = new Map();
  vi.stubGlobal("localStorage", {
    getItem: (name: string) => texts.get(name) ?? null,
    setItem: (name: string, text: string) => texts.set(name, text),
  });
});

test("the result fills the stage, and the input lies small on it", () => {
  expect(arranged("inset", false, true)).toEqual({ input: "inset", output: "main" });
});

test("swapped, the input fills the stage", () => {
  expect(arranged("inset", true, true)).toEqual({ input: "main", output: "inset" });
});

test("other layouts don't hear of the swap", () => {
  for (const layout of ["sideBySide", "over", "outputOnly"] as const) {
    expect(arranged(layout, true, true)).toEqual(arranged(layout, false, true));
  }
});

test("what can be chosen is to be seen in every layout", () => {
  for (const layout of ["inset", "sideBySide", "over", "outputOnly"] as const) {
    expect(["main", "half"]).toContain(arranged(layout, false, false).input);
  }
});

test("a drawing's paper is large at first, a camera's picture small, and each is swapped by itself", () => {
  const inset = new Inset();
  expect(inset.isSwapped("canvas").value).toBe(true);
  expect(inset.isSwapped("camera").value).toBe(false);
  inset.isSwapped("camera").value = true;
  expect(inset.isSwapped("screen").value).toBe(true);
  inset.isSwapped("canvas").value = false;
  expect(inset.isSwapped("camera").value).toBe(true);
});

test("an inset stays on the stage", () => {
  const inset = new Inset();
  inset.moveTo(-0.2, 1.7);
  expect(inset.place.value).toEqual({ x: 0, y: 1 });
  inset.moveTo(0.25, 0.5);
  expect(inset.place.value).toEqual({ x: 0.25, y: 0.5 });
});

test("the browser keeps where it is and how large", () => {
  const inset = new Inset();
  inset.moveTo(0.5, 0.5);
  inset.isLarge.value = true;
  expect([new Inset().place.value, new Inset().isLarge.value]).toEqual([{ x: 0.5, y: 0.5 }, true]);
});

test("a press takes it from corner to corner, all the way round", () => {
  const inset = new Inset();
  const seen = [0, 1, 2, 3].map(() => {
    inset.nextCorner();
    return inset.place.value;
  });
  expect(new Set(seen.map(({ x, y }) => `${x} ${y}`))).toEqual(new Set(["0 0", "1 0", "1 1", "0 1"]));
  inset.moveTo(0.9, 0.1);
  inset.nextCorner();
  expect(inset.place.value).toEqual({ x: 1, y: 1 });
});

test.each(["null", "{}", '{"x":2,"y":0}', '{"x":"0","y":0}', "["])("a place that was kept as %s is none", (text) => {
  texts.set("realtime.inset.place", text);
  expect(new Inset().place.value).toEqual({ x: 0, y: 1 });
});

test("messages go beside an inset that lies where they would, or above it, and not out of the way of none", () => {
  expect(messagesAround({ x: 0, y: 1 }, true)).toBe("right");
  expect(messagesAround({ x: 1, y: 1 }, true)).toBe("left");
  expect(messagesAround({ x: 0.5, y: 1 }, true)).toBe("above");
  expect(messagesAround({ x: 0, y: 0 }, true)).toBeNull();
  expect(messagesAround({ x: 0, y: 1 }, false)).toBeNull();
});
