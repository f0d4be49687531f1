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

  test("has a heaviest, the first of several", () => {
    const weighing = (...weights: number[]) => weights.map((weight) => ({ text: "a", weight }));
    expect(blend.heaviestOf(weighing(0.2, 0.8))).toBe(1);
    expect(blend.heaviestOf(weighing(1, 1))).toBe(0);
    expect(blend.heaviestOf(weighing(0, 0))).toBe(0);
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
