import { describe, expect, test } from "vitest";
import * as blend from "../../src/looks/blend";

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
