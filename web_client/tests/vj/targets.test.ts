import { signal } from "@preact/signals";
import { expect, test, vi } from "vitest";
import { readyMades } from "../../src/params/ready_made";
import type { NumberControl } from "../../src/params/schema";
import type { Value } from "../../src/protocol";
import { actions, moveTarget, numbersIn, targetOf } from "../../src/vj/targets";

const strength = { kind: "number", name: "strength", min: 0, max: 1, step: 0.01 } as NumberControl;

function setUp(prompt: Value = "", control: Value = []) {
  const targets = {
    numbers: signal([strength]),
    shown: signal({ prompt, control }),
    edit: vi.fn(),
    mix: vi.fn(),
    callPreset: vi.fn(),
    crossfade: vi.fn(),
    callClip: vi.fn(),
    readyMades: signal(readyMades.filter(({ name }) => name !== "onlyMe")),
    toggle: vi.fn(),
    actions: {
      freeze: vi.fn(),
      bypass: vi.fn(),
      panic: vi.fn(),
      snapshot: vi.fn(),
      record: vi.fn(),
      rewind: vi.fn(),
      layout: vi.fn(),
      seed: vi.fn(),
      tap: vi.fn(),
      cut: vi.fn(),
      fade: vi.fn(),
      cues: vi.fn(),
      nextCue: vi.fn(),
    },
  };
  const move = (target: string, value: number, isKey = false) =>
    moveTarget(targets, target, { key: "cc 1 1", value, isKey });
  return { ...targets, move };
}

test("a knob moves a setting over its range", () => {
  const { move, edit } = setUp();
  move("strength", 0.25);
  expect(edit).toHaveBeenCalledWith("strength", 0.25, "sliding");
});

test("a knob moves the wipe or the opacity, and the slider between two prompts", () => {
  const two = [
    { text: "a", weight: 1 },
    { text: "b", weight: 0 },
  ];
  const { move, mix, edit } = setUp(two);
  move("mix", 0.8);
  expect(mix).toHaveBeenCalledWith(0.8);
  move("balance", 0.25);
  expect(edit).toHaveBeenCalledWith("prompt", [{ text: "a", weight: 0.75 }, { text: "b", weight: 0.25 }], "sliding");
});

test("a knob moves the crossfader, and a key plays a clip", () => {
  const { move, crossfade, mix, callClip, callPreset } = setUp();
  move("crossfade", 0.3);
  expect(crossfade).toHaveBeenCalledWith(0.3);
  expect(mix).not.toHaveBeenCalled();
  move("clip 12", 1, true);
  move("clip 12", 0.4);
  expect(callClip.mock.calls).toEqual([[11]]);
  expect(callPreset).not.toHaveBeenCalled();
});

test("without two prompts there is nothing between them", () => {
  const { move, edit } = setUp("one");
  move("balance", 0.25);
  expect(edit).not.toHaveBeenCalled();
});

test("a knob moves the weight of a net by its row, where there is one", () => {
  const row = { net: "canny", weight: 1, start: 0, end: 1, source: "input" };
  const { move, edit } = setUp("", [row, { ...row, net: "depth" }]);
  move("control 3", 0.5);
  move("control 5", 0.5);
  expect(edit).not.toHaveBeenCalled();
  move("control 2", 0.25);
  expect(edit).toHaveBeenCalledWith("control", [row, { ...row, net: "depth", weight: 0.5 }], "sliding");
});

test("a key acts however softly it is hit, a knob when it passes the upper half", () => {
  const { move, callPreset, actions } = setUp();
  move("tap", 0.1, true);
  move("tap", 0.4);
  move("tap", 0.6);
  expect(actions.tap).toHaveBeenCalledTimes(2);
  move("preset 3", 1, true);
  expect(callPreset).toHaveBeenCalledWith(2);
});

test("a key calls what is ready made, unless this model can't follow it", () => {
  const { move, toggle } = setUp();
  move("ready tunnel", 1, true);
  move("ready onlyMe", 1, true);
  move("ready tunnel", 0.4);
  expect(toggle.mock.calls.map(([one]) => targetOf(one))).toEqual(["ready tunnel"]);
});

test("every action does something", () => {
  const { move, actions: done } = setUp();
  for (const action of actions) move(action, 1, true);
  for (const action of actions) expect(done[action]).toHaveBeenCalledOnce();
});

test("only numbers with both ends have a range for a knob", () => {
  const open = { ...strength, name: "seed", max: null };
  const text = { kind: "text", name: "prompt", title: "", description: "", neutral: "", group: null, isPrimary: true, isMultiline: true, maxLength: 9 } as const;
  expect(numbersIn([open, strength, text])).toEqual([strength]);
});
