import { describe, expect, test } from "vitest";
import { bound, midiEvent, readBindings, scaled, unbound } from "../../src/vj/midi";

describe("MIDI", () => {
  test("knobs and keys are told by kind, channel and number", () => {
    expect(midiEvent([0xb0, 20, 127])).toEqual({ key: "cc 1 20", value: 1, isKey: false });
    expect(midiEvent([0x9f, 36, 64])).toEqual({ key: "note 16 36", value: 64 / 127, isKey: true });
  });

  test("a key that goes up, the clock and bends are nothing", () => {
    expect([midiEvent([0x90, 36, 0]), midiEvent([0x80, 36, 64]), midiEvent([0xf8]), midiEvent([0xe0, 0, 64])]).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });

  test("a knob covers the field's range on its steps", () => {
    const steps = { min: 1, max: 8, step: 1 };
    expect([0, 0.5, 1].map((value) => scaled(steps, value))).toEqual([1, 5, 8]);
    expect(scaled({ min: 0, max: 1, step: 0.01 }, 1 / 3)).toBe(0.33);
  });

  test("a target has one key and a key one target", () => {
    const bindings = bound(bound({}, "cc 1 1", "strength"), "cc 1 2", "strength");
    expect(bindings).toEqual({ "cc 1 2": "strength" });
    expect(bound(bindings, "cc 1 2", "panic")).toEqual({ "cc 1 2": "panic" });
    expect(unbound(bindings, "strength")).toEqual({});
    expect(readBindings({ "cc 1 2": "a", "<b>": "c", "note 1 1": 3 })).toEqual({ "cc 1 2": "a" });
  });
});
