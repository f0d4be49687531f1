import { describe, expect, test } from "vitest";
import * as blend from "../../src/looks/blend";
import { MAX_PROMPTS, readHistory, remembered, walked } from "../../src/looks/prompt_history";

describe("history", () => {
  test("keeps each prompt once, the newest last", () => {
    expect(["a", "b", " a ", "", "a"].reduce(remembered, [] as readonly string[])).toEqual(["b", "a"]);
  });

  test("forgets the oldest beyond its bound", () => {
    const many = Array.from({ length: 60 }, (_, index) => `prompt ${index}`).reduce(
      remembered,
      [] as readonly string[],
    );
    expect([many.length, many[0], many.at(-1)]).toEqual([MAX_PROMPTS, "prompt 10", "prompt 59"]);
  });

  test("a walk goes back, and forward again to what was being written", () => {
    const start = { back: 0, draft: "new" };
    const [once, newest] = walked(["a", "b"], start, "older") ?? [start, ""];
    const [twice, oldest] = walked(["a", "b"], once, "older") ?? [start, ""];
    expect([newest, oldest]).toEqual(["b", "a"]);
    expect(walked(["a", "b"], twice, "older")).toBeNull();
    const [again] = walked(["a", "b"], twice, "newer") ?? [start];
    expect(walked(["a", "b"], again, "newer")?.[1]).toBe("new");
    expect(walked(["a", "b"], start, "newer")).toBeNull();
  });

  test("a walk does not stop at the prompt it began with", () => {
    expect(walked(["a", "b"], { back: 0, draft: "b" }, "older")?.[1]).toBe("a");
  });

  test("what was kept by somebody else is read with care", () => {
    expect(readHistory(["a", 3, "x".repeat(3000)])).toEqual(["a"]);
    expect(readHistory({})).toBeNull();
  });
});

describe("a blend", () => {
  const two = [
    { text: "a", weight: 0.25 },
    { text: "b", weight: 0.75 },
  ];

  test("begins with the text, and another that does not weigh yet", () => {
    expect(blend.withAnother("a", "b")).toEqual([
      { text: "a", weight: 1 },
      { text: "b", weight: 0 },
    ]);
  });

  test("has eight prompts at most", () => {
    const many = Array.from({ length: 12 }).reduce<ReturnType<typeof blend.withAnother>>(
      (prompts) => blend.withAnother(prompts),
      two,
    );
    expect(many.length).toBe(8);
  });

  test("of one prompt is a text again", () => {
    expect(blend.without(two, 0)).toBe("b");
    expect(blend.without([...two, { text: "c", weight: 1 }], 0)).toHaveLength(2);
  });

  test("has a slider between two", () => {
    expect(blend.balanceOf(two)).toBe(0.75);
    expect(blend.balanced(two, 0.1).map(({ weight }) => weight)).toEqual([0.9, 0.1]);
    expect(
      blend.balanceOf([
        { text: "a", weight: 0 },
        { text: "b", weight: 0 },
      ]),
    ).toBe(0.5);
  });

  test("changes one text or one weight", () => {
    expect(blend.withText(two, 1, "c")[1]?.text).toBe("c");
    expect(blend.withWeight(two, 0, 0.3333333)[0]?.weight).toBe(0.333);
  });

  test("is told from a text", () => {
    expect(blend.blendOf("a")).toBeNull();
    expect(blend.blendOf([])).toBeNull();
    expect(blend.blendOf(two)).toBe(two);
  });
});

describe("a crossfade", () => {
  test("is the prompts themselves at its ends", () => {
    expect(blend.crossfaded("a", "b", 0)).toBe("a");
    expect(blend.crossfaded("a", "b", 1)).toBe("b");
  });

  test("weighs both on its way, and adds up to one", () => {
    expect(blend.crossfaded("a", "b", 0.25)).toEqual([
      { text: "a", weight: 0.75 },
      { text: "b", weight: 0.25 },
    ]);
    const blended = [
      { text: "a", weight: 3 },
      { text: "b", weight: 1 },
    ];
    expect(blend.crossfaded(blended, "b", 0.5)).toEqual([
      { text: "a", weight: 0.375 },
      { text: "b", weight: 0.625 },
    ]);
  });

  test("leaves out the lightest where there would be too many", () => {
    const many = (prefix: string) => Array.from({ length: 6 }, (_, index) => ({ text: prefix + index, weight: 1 }));
    const faded = blend.crossfaded(many("a"), many("b"), 0.9) as { text: string }[];
    expect(faded).toHaveLength(8);
    expect(faded.filter(({ text }) => text.startsWith("b"))).toHaveLength(6);
  });
});
