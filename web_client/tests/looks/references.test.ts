import { expect, test } from "vitest";
import { readLook } from "../../src/looks/look";
import { changed, MAX_REFERENCES, referencesOf, toggled } from "../../src/looks/references";

const ids = Array.from({ length: 6 }, (_, index) => String(index).repeat(32));

test("a picture comes with the server's own weight, and goes when it is pressed again", () => {
  const one = toggled([], ids[0] ?? "");
  expect(one).toEqual([{ picture: ids[0], weight: 0.6 }]);
  expect(toggled(toggled(one, ids[1] ?? ""), ids[0] ?? "")).toEqual([{ picture: ids[1], weight: 0.6 }]);
});

test("the oldest makes room", () => {
  const all = ids.reduce(toggled, []);
  expect(all.map(({ picture }) => picture)).toEqual(ids.slice(-MAX_REFERENCES));
});

test("one is changed, and the others stay as they are", () => {
  const two = [ids[0], ids[1]].map((picture) => ({ picture: picture ?? "", weight: 1, layers: "style" }));
  expect(changed(two, 1, { weight: 0.5, layers: "all" })).toEqual([two[0], { picture: ids[1], weight: 0.5, layers: "all" }]);
});

test("what is no reference is left out", () => {
  const reference = { picture: ids[0] ?? "", weight: 1, layers: "style" };
  expect(referencesOf([reference, { text: "oil", weight: 1 }])).toEqual([reference]);
  expect([referencesOf(undefined), referencesOf("x")]).toEqual([[], []]);
});

test("they are part of a look, and so is that there are none", () => {
  const references = [{ picture: ids[0] ?? "", weight: 1, layers: "style" }];
  expect(readLook({ references })).toEqual({ references });
  expect(readLook({ references: [], strength: 1 })).toEqual({ references: [], strength: 1 });
});
