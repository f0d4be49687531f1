import { describe, expect, test } from "vitest";
import { lookIn, withRecipe } from "../../src/keep/recipe";
import type { Params } from "../../src/protocol";

/** A PNG of one grey pixel. */
const png = Uint8Array.from(
  atob("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="),
  (char) => char.charCodeAt(0),
);
const params: Params = { version: 4, width: 64, height: 64, prompt: "müde", strength: 0.25 };

describe("a recipe", () => {
  test("lies in the picture and comes out again as a look", () => {
    const kept = withRecipe(png, { model: "tiny", params, seq: 1 });
    expect(lookIn(kept)).toEqual({ prompt: "müde", strength: 0.25 });
  });

  test("leaves the picture as it was, with its end at the end", () => {
    const kept = withRecipe(png, { model: "tiny", params, seq: 1 });
    expect(kept.subarray(0, png.length - 12)).toEqual(png.subarray(0, -12));
    expect(kept.subarray(-12)).toEqual(png.subarray(-12));
  });

  test.each([
    ["a picture without one", png],
    ["no picture at all", new TextEncoder().encode("hello, this is a text and no picture")],
    ["a cut file", withRecipe(png, { model: "tiny", params, seq: 1 }).subarray(0, 90)],
  ])("of %s is none", (_, bytes) => {
    expect(lookIn(bytes)).toBeNull();
  });
});
