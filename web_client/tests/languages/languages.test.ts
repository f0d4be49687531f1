import { expect, test } from "vitest";
import { german } from "../../src/languages/de";
import { english } from "../../src/languages/en";
import { french } from "../../src/languages/fr";
import { languageFor } from "../../src/languages/languages";

test("the first preferred language that there is is spoken", () => {
  expect(languageFor(["nl-NL", "de-AT", "en"])).toBe("de");
});

test("a page whose reader speaks none of them is in English", () => {
  expect(languageFor(["ja"])).toBe("en");
});

/** Every sentence with the way to it; of functions what they make of example values. */
function sentences(words: unknown, path = ""): [string, string][] {
  if (typeof words === "string") return [[path, words]];
  if (typeof words === "function") return [[path, String(words(3, 4))]];
  return Object.entries(words as object).flatMap(([name, each]) => sentences(each, `${path}.${name}`));
}

test.each([
  ["German", german],
  ["French", french],
])("%s says everything that English says, and hardly anything in English", (_, words) => {
  const [own, source] = [new Map(sentences(words)), new Map(sentences(english))];
  expect([...own].filter(([, text]) => text.trim() === "")).toEqual([]);
  const untranslated = [...own].filter(([path, text]) => text.length > 25 && source.get(path) === text);
  expect(untranslated).toEqual([]);
});

test.each([
  // What these words would say is said by others everywhere else: Aussehen, Eingabe, Protokoll; aspect, repère.
  ["German", german, /\bLooks?\b|\bEingang\b|\bLog\b/],
  ["French", french, /\blooks?\b|\bpoint (suivant|\d)/i],
])("%s has one word for one thing", (_, words, others) => {
  expect(sentences(words).filter(([, text]) => others.test(text))).toEqual([]);
});

test("one who watches is one, in all languages", () => {
  expect([english, german, french].map(({ send }) => send.watching(1))).toEqual(["1 watching", "1 sieht zu", "1 regarde"]);
});

/** What the model in the package says that it knows. */
const [tiny] = Object.values(
  import.meta.glob<Record<"styles" | "moods" | "pictures", { name: string }[]>>("../../../realtime/engine/models/tiny/realtime.json", {
    eager: true,
    import: "default",
  }),
);

test.each([
  ["German", german],
  ["French", french],
])("%s has a name for each style, mood and picture of the model in the package", (_, { panel }) => {
  const names = [...(tiny?.styles ?? []), ...(tiny?.moods ?? []), ...(tiny?.pictures ?? [])].map(({ name }) => name);
  expect(names.length).toBeGreaterThan(40);
  expect(names.filter((name) => !panel.phrases[name])).toEqual([]);
});
