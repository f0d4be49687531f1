import { expect, test } from "vitest";
import { bestFirst, includesPhrase, promptFrom, promptText, setStyle, toggleMood } from "../../src/params/styles";

const oil = { name: "Oil", prompt: "oil painting" };
const vanGogh = { name: "Van Gogh", prompt: "van gogh, thick strokes" };
const night = { name: "Night", prompt: "night" };
const all = [oil, vanGogh];

test("a style replaces another, at the head, and leaves the words", () => {
  expect(setStyle("oil painting, a castle", vanGogh, all)).toBe("van gogh, thick strokes, a castle");
  expect(setStyle("Van Gogh, thick strokes, night", oil, all)).toBe("oil painting, night");
  expect(setStyle("", oil, all)).toBe("oil painting");
});

test("a mood comes and goes", () => {
  expect(toggleMood("oil painting", night)).toBe("oil painting, night");
  expect(toggleMood("oil painting, night, a castle", night)).toBe("oil painting, a castle");
});

test("only whole phrases count", () => {
  expect(includesPhrase("a knight, oil paintings", night)).toBe(false);
  expect(includesPhrase("oil paintings", oil)).toBe(false);
  expect(includesPhrase("a castle, NIGHT", night)).toBe(true);
  expect(includesPhrase("anything", { name: "None", prompt: "" })).toBe(false);
});

test("a list of weighted prompts reads as text", () => {
  expect(
    promptText([
      { text: "ink", weight: 1 },
      { text: "neon", weight: 0.5 },
    ]),
  ).toBe("ink:1 | neon:0.5");
  expect(promptText("ink")).toBe("ink");
  expect(promptText(undefined)).toBe("");
});

test.each([
  [[{ text: "ink", weight: 1 }, { text: "neon: at night", weight: 0.5 }]],
  [[{ text: "", weight: 0 }, { text: "oil", weight: 1 }]],
  ["ink"],
  ["ink:1"],
  ["ink | oil:0.5"],
])("%j is the same again after it was text", (prompt) => {
  expect(promptFrom(promptText(prompt))).toEqual(prompt);
});

test("the styles that look best come first, and the others stay in the model's order", () => {
  const named = (name: string) => ({ name, prompt: name });
  const names = ["b of mine", "photo", "a of mine", "comic"].map(named);
  expect(bestFirst(names).map(({ name }) => name)).toEqual(["comic", "photo", "b of mine", "a of mine"]);
});

test("pictures beside a text are no text, and stay when it is changed", () => {
  const picture = { picture: "0".repeat(32), weight: 2 };
  const prompt = [picture, { text: "ink", weight: 0.5 }];
  expect(promptText(prompt)).toBe("ink:0.5");
  expect(promptFrom(promptText(prompt), [picture])).toEqual(prompt);
  expect(promptFrom("oil", [picture])).toEqual([picture, { text: "oil", weight: 1 }]);
  expect(promptFrom("", [picture])).toEqual([picture]);
});
