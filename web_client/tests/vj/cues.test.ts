import { describe, expect, test } from "vitest";
import { cueAt, cueFrom, lengthOf, readCues } from "../../src/vj/cues";

describe("cues", () => {
  const cues = [
    { look: { prompt: "a" }, fade_s: 2, hold_s: 3 },
    { look: { prompt: "b" }, fade_s: 4, hold_s: 1 },
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
    expect(cueAt([{ look: { prompt: "a" }, fade_s: 0, hold_s: 0 }], 0, true)).toBeNull();
    expect(cueAt([], 0, true)).toBeNull();
  });

  test("that were kept are read with care, and those that were prompts once are looks", () => {
    const kept = [{ prompt: "a", fade_s: -1, hold_s: 1e9 }, { prompt: 3e400 }, { look: {} }, null];
    expect(readCues(kept)).toEqual([{ look: { prompt: "a" }, fade_s: 0, hold_s: 3600 }]);
    const whole = { look: { prompt: "a", strength: 0.3 }, picture: "/9j/AA==", fade_s: 1, hold_s: 1 };
    expect(readCues([{ ...whole, fade_s: 600 }])).toEqual([{ ...whole, fade_s: 60 }]);
    expect(readCues([{ ...whole, picture: "javascript:" }])?.[0]?.picture).toBeUndefined();
    expect(readCues("a")).toBeNull();
  });
});
