import { expect, test, vi } from "vitest";
import { actions, moveTarget } from "../../src/vj/targets";

function setUp(prompt: unknown = "") {
  const edit = vi.fn();
  const show = { tap: vi.fn(), cues: vi.fn(), nextCue: vi.fn() };
  const amount = { value: 0.5 };
  const flags = { isBypassed: fake(false), isPanicked: fake(false) };
  const done = { call: vi.fn(), setFrozen: vi.fn(), saveSnapshot: vi.fn(), toggleRewind: vi.fn(), nextLayout: vi.fn() };
  const studio = {
    client: {
      controls: { value: [{ kind: "number", name: "strength", min: 0, max: 1, step: 0.01 }] },
      params: { edit, shown: { peek: () => ({ prompt }) } },
      isFrozen: fake(false),
      setFrozen: done.setFrozen,
    },
    looks: { call: done.call },
    keep: { saveSnapshot: done.saveSnapshot, toggleRewind: done.toggleRewind },
    view: { amount, ...flags, nextLayout: done.nextLayout },
    newSeed: vi.fn(),
    toggleRecording: vi.fn(),
  };
  const move = (target: string, value: number, isKey = false) =>
    moveTarget(studio as never, show, target, { key: "cc 1 1", value, isKey });
  return { move, edit, show, amount, flags, done, studio };
}

function fake<T>(value: T) {
  return { value, peek: () => value };
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
  const { move, amount, edit } = setUp(two);
  move("mix", 0.8);
  expect(amount.value).toBe(0.8);
  move("balance", 0.25);
  expect(edit).toHaveBeenCalledWith("prompt", [{ text: "a", weight: 0.75 }, { text: "b", weight: 0.25 }], "sliding");
});

test("without two prompts there is nothing between them", () => {
  const { move, edit } = setUp("one");
  move("balance", 0.25);
  expect(edit).not.toHaveBeenCalled();
});

test("a key acts however softly it is hit, a knob when it passes the upper half", () => {
  const { move, show, done, flags } = setUp();
  move("tap", 0.1, true);
  move("tap", 0.4);
  move("tap", 0.6);
  expect(show.tap).toHaveBeenCalledTimes(2);
  move("preset 3", 1, true);
  expect(done.call).toHaveBeenCalledWith(2);
  move("panic", 1, true);
  expect(flags.isPanicked.value).toBe(true);
});

test("every action does something", () => {
  const { move, show, done, flags, studio } = setUp();
  for (const action of actions) move(action, 1, true);
  const called = [...Object.values(show), done.setFrozen, done.saveSnapshot, done.toggleRewind, done.nextLayout];
  for (const each of [...called, studio.newSeed, studio.toggleRecording]) expect(each).toHaveBeenCalledOnce();
  expect(flags.isBypassed.value).toBe(true);
});
