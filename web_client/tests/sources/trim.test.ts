import { describe, expect, test } from "vitest";
import { nextMove, SHORTEST_S, trimmed, WHOLE } from "../../src/sources/trim";

describe("points", () => {
  test("stay within the video and in their order: the one that is moved gives way", () => {
    const part = { ...WHOLE, in_s: 2, out_s: 5 };
    expect(trimmed(part, { in_s: 7 }, 10).in_s).toBeCloseTo(5 - SHORTEST_S);
    expect(trimmed(part, { in_s: -1 }, 10).in_s).toBe(0);
    expect(trimmed(part, { out_s: 1 }, 10).out_s).toBeCloseTo(2 + SHORTEST_S);
  });

  test("an end that is the video's own is none", () => {
    expect(trimmed({ ...WHOLE, in_s: 2, out_s: 5 }, { out_s: 10 }, 10).out_s).toBeNull();
    expect(trimmed(WHOLE, { in_s: 20 }, 10).in_s).toBeCloseTo(10 - SHORTEST_S);
  });

  test("of a video shorter than the shortest part all of it plays", () => {
    expect(trimmed(WHOLE, { in_s: 0.04 }, 0.05)).toEqual(WHOLE);
  });

  test("speed and loop change nothing else", () => {
    const part = { in_s: 2, out_s: 5, speed: 1, loops: true };
    expect(trimmed(part, { speed: 2 }, 10)).toEqual({ ...part, speed: 2 });
    expect(trimmed(part, { loops: false }, 10)).toEqual({ ...part, loops: false });
  });
});

describe("playing", () => {
  const part = { in_s: 2, out_s: 5, speed: 1, loops: true };

  test("goes on within the part, and begins again behind it", () => {
    expect(nextMove(part, 3, false)).toBe("on");
    expect(nextMove(part, 5, false)).toBe("again");
    expect(nextMove({ ...part, out_s: null }, 9, false)).toBe("on");
    expect(nextMove({ ...part, out_s: null }, 9, true)).toBe("again");
  });

  test("stands at its end where it is to play once", () => {
    expect(nextMove({ ...part, loops: false }, 5.02, false)).toBe("stand");
    expect(nextMove({ ...part, out_s: null, loops: false }, 9, true)).toBe("stand");
  });

  test("what lies before the part is not played", () => {
    expect(nextMove(part, 0.5, false)).toBe("again");
    // A seek lands on a picture, which may begin a little earlier.
    expect(nextMove(part, 1.98, false)).toBe("on");
  });
});
