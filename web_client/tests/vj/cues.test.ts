import { describe, expect, test } from "vitest";
import { cueAt, cueFrom, lengthOf, readCues } from "../../src/vj/cues";

describe("cues", () => {
  const cues = [
    { prompt: "a", fade_s: 2, hold_s: 3 },
    { prompt: "b", fade_s: 4, hold_s: 1 },
  ];

  test("follow each other", () => {
    expect(lengthOf(cues)).toBe(10);
    expect(cueAt(cues, 0, false)).toEqual({ index: 0, since_s: 0 });
    expect(cueAt(cues, 4.5, false)).toEqual({ index: 0, since_s: 4.5 });
    expect(cueAt(cues, 5, false)).toEqual({ index: 1, since_s: 0 });
    expect(cueAt(cues, 9.5, false)).toEqual({ index: 1, since_s: 4.5 });
  });

  test("end, or begin again", () => {
    expect(cueAt(cues, 10, false)).toBeNull();
    expect(cueAt(cues, 11, true)).toEqual({ index: 0, since_s: 1 });
  });

  test("begun in the middle come round in a loop", () => {
    expect(cueFrom(cues, 1, 2, false)).toEqual({ index: 1, since_s: 2 });
    expect(cueFrom(cues, 1, 5, false)).toBeNull();
    expect(cueFrom(cues, 1, 7, true)).toEqual({ index: 0, since_s: 2 });
    expect(cueFrom(cues, 1, 14.5, true)).toEqual({ index: 1, since_s: 4.5 });
  });

  test("without length are never on", () => {
    expect(cueAt([{ prompt: "a", fade_s: 0, hold_s: 0 }], 0, true)).toBeNull();
    expect(cueAt([], 0, true)).toBeNull();
  });

  test("that were kept are read with care", () => {
    expect(readCues([{ prompt: "a", fade_s: -1, hold_s: 1e9 }, { prompt: 3e400 }, null])).toEqual([
      { prompt: "a", fade_s: 0, hold_s: 3600 },
    ]);
    expect(readCues([{ prompt: "a", fade_s: 600, hold_s: 1 }])).toEqual([{ prompt: "a", fade_s: 60, hold_s: 1 }]);
    expect(readCues("a")).toBeNull();
  });
});
