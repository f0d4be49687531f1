import { describe, expect, test } from "vitest";
import type { NumberControl } from "../../src/params/schema";
import { cueAt, cueFrom, lengthOf, readCues } from "../../src/vj/cues";
import { bound, midiEvent, readBindings, scaled, unbound } from "../../src/vj/midi";
import { levelOf, modulated, smoothed } from "../../src/vj/modulation";
import { beatAt, pulseAt, tapped, tempoOf } from "../../src/vj/tempo";

describe("tempo", () => {
  test("two taps make one, their distance its beat", () => {
    expect(tempoOf([1000, 1500])).toEqual({ bpm: 120, origin_ms: 1500 });
    expect(tempoOf([1000])).toBeNull();
  });

  test("more taps are averaged", () => {
    expect(tempoOf([0, 490, 1010, 1500])?.bpm).toBe(120);
  });

  test("a pause begins anew, and only the last taps count", () => {
    expect(tapped([0, 500], 3000)).toEqual([3000]);
    expect(Array.from({ length: 20 }, (_, index) => index * 500).reduce(tapped, [] as number[])).toHaveLength(8);
  });

  test("beats are counted from the last tap", () => {
    const tempo = { bpm: 120, origin_ms: 1000 };
    expect([999, 1000, 1499, 1500, 3000].map((now_ms) => beatAt(tempo, now_ms))).toEqual([-1, 0, 0, 1, 4]);
  });
});

test("a pulse is full on the beat and gone before the next", () => {
  const tempo = { bpm: 120, origin_ms: 1000 };
  expect(pulseAt(tempo, 1500)).toBe(1);
  expect(pulseAt(tempo, 1750)).toBe(0.25);
  expect(pulseAt(tempo, 1999)).toBeLessThan(0.001);
});

describe("cues", () => {
  const cues = [
    { prompt: "a", fade_s: 2, hold_s: 3 },
    { prompt: "b", fade_s: 4, hold_s: 1 },
  ];

  test("fade in, and stay", () => {
    expect(lengthOf(cues)).toBe(10);
    expect(cueAt(cues, 0, false, "x")).toEqual({ index: 0, prompt: "x" });
    expect(cueAt(cues, 1, false, "x")?.prompt).toEqual([
      { text: "x", weight: 0.5 },
      { text: "a", weight: 0.5 },
    ]);
    expect(cueAt(cues, 2, false, "x")).toEqual({ index: 0, prompt: "a" });
    expect(cueAt(cues, 6, false, "x")).toEqual({
      index: 1,
      prompt: [
        { text: "a", weight: 0.75 },
        { text: "b", weight: 0.25 },
      ],
    });
    expect(cueAt(cues, 9.5, false, "x")).toEqual({ index: 1, prompt: "b" });
  });

  test("end, or begin again from the last one", () => {
    expect(cueAt(cues, 10, false, "x")).toBeNull();
    expect(cueAt(cues, 11, true, "x")).toEqual({
      index: 0,
      prompt: [
        { text: "b", weight: 0.5 },
        { text: "a", weight: 0.5 },
      ],
    });
  });

  test("begun in the middle fade in from what was on, and come round in a loop", () => {
    expect(cueFrom(cues, 1, 2, false, "x")).toEqual({
      index: 1,
      prompt: [
        { text: "x", weight: 0.5 },
        { text: "b", weight: 0.5 },
      ],
    });
    expect(cueFrom(cues, 1, 5, false, "x")).toBeNull();
    expect(cueFrom(cues, 1, 7, true, "x")).toEqual({ index: 0, prompt: "a" });
    expect(cueFrom(cues, 1, 14.5, true, "x")).toEqual({ index: 1, prompt: "b" });
  });

  test("without length are never on", () => {
    expect(cueAt([{ prompt: "a", fade_s: 0, hold_s: 0 }], 0, true, "x")).toBeNull();
    expect(cueAt([], 0, true, "x")).toBeNull();
  });

  test("that were kept are read with care", () => {
    expect(readCues([{ prompt: "a", fade_s: -1, hold_s: 1e9 }, { prompt: 3e400 }, null])).toEqual([
      { prompt: "a", fade_s: 0, hold_s: 3600 },
    ]);
    expect(readCues("a")).toBeNull();
  });
});

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

describe("sound", () => {
  const strength = { min: 0, max: 1, step: 0.01 } as NumberControl;

  test("silence is nothing, and loud is at most one", () => {
    expect(levelOf(new Float32Array(64))).toBe(0);
    expect(levelOf(new Float32Array(64).fill(1))).toBe(1);
    expect(levelOf([])).toBe(0);
  });

  test("rises at once and falls slowly", () => {
    expect(smoothed(0.2, 0.9)).toBe(0.9);
    expect(smoothed(0.9, 0)).toBeCloseTo(0.765);
  });

  test("moves a field from where it was, within its range", () => {
    expect(modulated(strength, 0.4, 0.5, 0)).toBe(0.4);
    expect(modulated(strength, 0.4, 0.5, 0.5)).toBe(0.65);
    expect(modulated(strength, 0.4, -0.5, 1)).toBe(0);
    expect(modulated(strength, 0.4, 1, 1)).toBe(1);
  });
});
