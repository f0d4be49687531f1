import { signal } from "@preact/signals";
import { beforeEach, expect, test, vi } from "vitest";
import type { NumberControl, TextControl } from "../../src/params/schema";
import { Settings } from "../../src/params/settings";
import type { Value } from "../../src/protocol";

const number = (name: string, min: number | null, max: number | null, step: number) =>
  ({ kind: "number", name, min, max, step }) as NumberControl;
const prompt = { kind: "text", name: "prompt" } as TextControl;

const shown = signal<Readonly<Record<string, Value>>>({});
const edit = vi.fn();
let settings: Settings;

beforeEach(() => {
  edit.mockClear();
  shown.value = { strength: 0.5, seed: 3, prompt: "ink" };
  settings = new Settings({ shown, edit });
  settings.controls.value = [prompt, number("strength", 0, 1, 0.01), number("seed", 0, 9, 1)];
});

test("a number moves by a share of its range", () => {
  settings.nudge("strength", -0.05);
  expect(edit).toHaveBeenCalledExactlyOnceWith("strength", 0.45, "sliding");
});

test("what is no number, or not there, does not move", () => {
  settings.nudge("prompt", 0.05);
  settings.nudge("wings", 0.05);
  shown.value = {};
  settings.nudge("strength", 0.05);
  expect(edit).not.toHaveBeenCalled();
});

test("what is ready made is called, and taken back by its defaults", () => {
  const tenths = { ...number("calm", 0, 1, 0.1), neutral: 0 };
  settings.controls.value = [tenths];
  shown.value = { calm: 0 };
  settings.toggle({ name: "steady", values: { calm: 0.6 } });
  shown.value = { calm: 0.6 };
  settings.toggle({ name: "steady", values: { calm: 0.6 } });
  expect(edit.mock.calls).toEqual([
    ["calm", 0.6, "sliding"],
    ["calm", 0, "sliding"],
  ]);
});

test("a new seed lies within its bounds, and without a schema within any", () => {
  settings.newSeed(0.99);
  settings.controls.value = [];
  settings.newSeed(0);
  expect(edit.mock.calls).toEqual([
    ["seed", 9, "sliding", undefined],
    ["seed", 0, "sliding", undefined],
  ]);
});
