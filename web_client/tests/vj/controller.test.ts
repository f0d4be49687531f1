import { signal } from "@preact/signals";
import { beforeEach, expect, test, vi } from "vitest";
import { Controller } from "../../src/vj/controller";
import { FakeClock } from "../fakes";

const move = vi.fn();
const onTempo = vi.fn();
let clock: FakeClock;
let controller: Controller;

beforeEach(() => {
  vi.stubGlobal("localStorage", { getItem: () => null, setItem() {} });
  vi.stubGlobal("navigator", {});
  move.mockClear();
  onTempo.mockClear();
  clock = new FakeClock();
  controller = new Controller({ clock, move, onTempo, isUsed: signal(false) });
});

test("a knob is for the control that was chosen, once and then always", () => {
  controller.learns.value = "strength";
  controller.hear([0xb0, 20, 64]);
  expect([controller.learns.value, move.mock.calls.length]).toEqual([null, 0]);
  controller.hear([0xb0, 20, 127]);
  expect(move).toHaveBeenCalledWith("strength", { key: "cc 1 20", value: 1, isKey: false });
});

test("learning begins with controllers only, and ends with nothing chosen", async () => {
  await controller.toggleLearning();
  expect([controller.isLearning.value, controller.state.value]).toEqual([false, "missing"]);
  controller.state.value = "on";
  await controller.toggleLearning();
  controller.learns.value = "strength";
  expect(controller.isLearning.value).toBe(true);
  await controller.toggleLearning();
  expect([controller.isLearning.value, controller.learns.value]).toEqual([false, null]);
});

test("a clock says the tempo, and is no knob", () => {
  controller.learns.value = "strength";
  for (let message = 0; message <= 24; message++) {
    controller.hear([0xf8]);
    clock.pass(20);
  }
  expect(onTempo).toHaveBeenCalledOnce();
  expect(onTempo.mock.calls[0]?.[0].bpm).toBeCloseTo(125);
  expect([controller.hearsClock.value, controller.learns.value]).toEqual([true, "strength"]);
});
