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
    expect(blend.withText(two, 1, "c")[1]).toEqual({ text: "c", weight: 0.75 });
    expect(blend.withWeight(two, 0, 0.3333333)[0]?.weight).toBe(0.333);
  });

  test("is told from a text", () => {
    expect(blend.blendOf("a")).toBeNull();
    expect(blend.blendOf([])).toBeNull();
    expect(blend.blendOf(two)).toBe(two);
  });
});

describe("a picture in a blend", () => {
  const id = "0123456789abcdef0123456789abcdef";
  const other = "f".repeat(32);
  const picture = { picture: id, weight: 1 };

  test("is a part like a text", () => {
    expect(blend.blendOf([picture])).toEqual([picture]);
    expect(blend.blendOf([{ picture: "mona", weight: 1 }])).toBeNull();
    expect(blend.picturesOf([{ text: "a", weight: 1 }, picture])).toEqual([picture]);
    expect(blend.picturesOf("a")).toEqual([]);
  });

  test("stays when the text beside it, or its weight, changes", () => {
    const pair = [picture, { text: "a", weight: 0 }];
    expect(blend.withText(pair, 1, "ink")).toEqual([picture, { text: "ink", weight: 0 }]);
    expect(blend.balanced(pair, 0.25)).toEqual([{ picture: id, weight: 0.75 }, { text: "a", weight: 0.25 }]);
    expect(blend.withSeenText(pair, "ink")).toEqual([picture, { text: "ink", weight: 1 }]);
    expect(blend.without(pair, 1)).toEqual([picture]);
    expect(blend.without(pair, 0)).toBe("a");
    expect(blend.without([picture], 0)).toBe("");
  });

  test("takes the place of the words that gave the style, and what else was written stays without weight", () => {
    expect(blend.likePicture("comic", id, "")).toEqual([picture]);
    expect(blend.likePicture("comic, a knight", id, "a knight")).toEqual([picture, { text: "a knight", weight: 0 }]);
  });

  test("takes the place of the picture that gave the style, and other parts stay", () => {
    const before = [{ picture: other, weight: 1 }, { text: "a", weight: 0.5 }];
    expect(blend.likePicture(before, id, "a")).toEqual([picture, { text: "a", weight: 0.5 }]);
    const texts = [{ text: "comic", weight: 0.8 }, { text: "b", weight: 0.2 }];
    expect(blend.likePicture(texts, id, "")).toEqual([picture, { text: "b", weight: 0.2 }]);
    expect(blend.likePicture([picture], id, "")).toEqual([picture]);
  });

  test("gives way to a style in words where it gave the style, and stays where it didn't", () => {
    expect(blend.styledBy([picture], "comic")).toBe("comic");
    expect(blend.styledBy([picture, { text: "a knight", weight: 0 }], "comic, a knight")).toBe("comic, a knight");
    const lighter = { picture: id, weight: 0.2 };
    expect(blend.styledBy([lighter, { text: "ink", weight: 1 }], "comic")).toEqual([lighter, { text: "comic", weight: 1 }]);
    expect(blend.styledBy("ink", "comic")).toBe("comic");
  });

  test("gives the style where it weighs most", () => {
    expect(blend.stylingPicture([{ text: "a", weight: 0.4 }, picture])).toBe(id);
    expect(blend.stylingPicture([{ text: "a", weight: 2 }, picture])).toBeNull();
    expect(blend.stylingPicture("a")).toBeNull();
    expect(blend.seenText([picture, { text: "a", weight: 0 }])).toBe("a");
    expect(blend.seenText([picture])).toBe("");
  });

  test("is left out for a model that hears words alone", () => {
    expect(blend.withoutPictures([picture, { text: "a", weight: 0 }])).toBe("a");
    expect(blend.withoutPictures([picture])).toBeNull();
    const texts = [{ text: "a", weight: 1 }, { text: "b", weight: 2 }];
    expect(blend.withoutPictures([picture, ...texts])).toEqual(texts);
    expect(blend.withoutPictures("a")).toBe("a");
  });
});
