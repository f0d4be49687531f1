import { beforeEach, expect, test, vi } from "vitest";
import type { Problems } from "../../src/problems";
import type { DrawingCanvas } from "../../src/sources/canvas";
import { Inputs } from "../../src/sources/inputs";
import { settled } from "../fakes";

const canvas = { isStill: true, start: async () => {}, stop() {}, picture: () => null } as unknown as DrawingCanvas;

let loads: { give: (canvas: DrawingCanvas) => void; fail: (error: Error) => void }[];
let seen: DrawingCanvas[];
let inputs: Inputs;

beforeEach(() => {
  [loads, seen] = [[], []];
  const element = () => ({ append() {}, addEventListener() {}, removeAttribute() {}, load() {}, pause() {}, classList: { toggle() {} }, getContext: () => ({}) });
  vi.stubGlobal("document", { createElement: element, addEventListener() {}, body: element() });
  const storage = { getItem: () => null, setItem() {} };
  vi.stubGlobal("localStorage", storage);
  vi.stubGlobal("sessionStorage", storage);
  inputs = new Inputs({
    problems: { report() {}, clear() {}, mention() {} } as unknown as Problems,
    openCanvas: () => new Promise((give, fail) => loads.push({ give, fail })),
    onCanvas: (drawn) => seen.push(drawn),
    changed() {},
    onUse() {},
    onBegun() {},
  });
});

test("the drawing is loaded when it is first used, and once", async () => {
  expect([inputs.canvas, loads.length]).toEqual([null, 0]);
  const used = inputs.use("canvas");
  const other = inputs.openCanvas();
  expect(inputs.kind.value).toBeNull();
  loads[0]?.give(canvas);
  await Promise.all([used, other, inputs.use("canvas")]);
  expect([inputs.kind.value, inputs.own, inputs.canvas]).toEqual(["canvas", canvas, canvas]);
  expect([loads.length, seen]).toEqual([1, [canvas]]);
});

test("what was chosen while the drawing was loaded stays", async () => {
  const used = inputs.use("canvas");
  void inputs.use("file");
  loads[0]?.give(canvas);
  await used;
  expect([inputs.kind.value, inputs.canvas]).toEqual(["file", canvas]);
  inputs.clear();
  expect(inputs.kind.value).toBeNull();
});

test("a drawing that can't be loaded is loaded anew the next time", async () => {
  const used = inputs.use("canvas").catch(({ message }: Error) => message);
  loads[0]?.fail(new Error("offline"));
  expect(await used).toBe("offline");
  void inputs.use("canvas");
  loads[1]?.give(canvas);
  await settled();
  expect(inputs.kind.value).toBe("canvas");
});
