import { signal } from "@preact/signals";
import { describe, expect, test, vi } from "vitest";
import type { FileSource } from "../../src/sources/file";
import { nextMove, SHORTEST_S, Trimmer, trimmed, WHOLE } from "../../src/sources/trim";

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

describe("a deck", () => {
  /** A video element as far as it is trimmed. */
  function setUp() {
    const listeners = new Map<string, () => void>();
    let shown = () => {};
    const video = {
      currentTime: 0,
      playbackRate: 1,
      paused: false,
      ended: false,
      seeking: false,
      loop: true,
      addEventListener: (kind: string, action: () => void) => listeners.set(kind, action),
      requestVideoFrameCallback: (action: () => void) => (shown = action),
      cancelVideoFrameCallback() {},
      pause: vi.fn(),
      play: vi.fn(async () => {}),
    };
    vi.stubGlobal("document", { hidden: false, addEventListener() {} });
    const file = signal<File | null>(null);
    const trimmer = new Trimmer({ video, file } as unknown as FileSource);
    const open = (opened: File) => {
      file.value = opened;
      listeners.get("loadstart")?.();
    };
    const showAt = (at_s: number) => {
      video.currentTime = at_s;
      shown();
    };
    return { trimmer, video, open, showAt, happens: (kind: string) => listeners.get(kind)?.() };
  }
  const [one, other] = ["one", "other"].map((name) => new File([], name)) as [File, File];
  const part = { in_s: 2, out_s: 5, speed: 2, loops: true };

  test("begins a clip at its in point, and goes back there from its out point", () => {
    const { trimmer, video, open, showAt } = setUp();
    trimmer.prepare(one, part);
    open(one);
    expect([video.currentTime, video.playbackRate, video.loop]).toEqual([2, 2, false]);
    showAt(4.9);
    expect(video.currentTime).toBe(4.9);
    showAt(5.01);
    expect(video.currentTime).toBe(2);
    expect(video.pause).not.toHaveBeenCalled();
  });

  test("plays another file whole, whatever was prepared for one that was on it already", () => {
    const { trimmer, video, open } = setUp();
    trimmer.prepare(one, part);
    open(one);
    trimmer.prepare(one, part);
    open(other);
    expect(trimmer.trim.value).toEqual(WHOLE);
    expect([video.currentTime, video.playbackRate, video.loop]).toEqual([0, 1, true]);
  });

  test("stands at the end of what plays once, and begins it anew when it is played", () => {
    const { trimmer, video, open, showAt, happens } = setUp();
    trimmer.prepare(one, { ...part, loops: false });
    open(one);
    showAt(5.01);
    expect(video.pause).toHaveBeenCalled();
    expect(video.currentTime).toBe(5.01);
    happens("play");
    expect(video.currentTime).toBe(2);
  });
});
