import { describe, expect, test } from "vitest";
import { cueAt, cueFrom, lengthOf, readCues } from "../../src/vj/cues";

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
