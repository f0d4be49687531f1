import { describe, expect, test } from "vitest";
import { lookIn, withRecipe } from "../../src/keep/recipe";
import { clockText, recordingTypes, sizeText } from "../../src/keep/recording_types";
import { RewindRing } from "../../src/keep/rewind";
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

describe("the rewind", () => {
  const moment = (at_ms: number, bytes = 1) => ({ at_ms, picture: new Blob([new Uint8Array(bytes)]), params });

  test("reaches back as far as its span", () => {
    const ring = new RewindRing(1000, 100);
    for (let at_ms = 0; at_ms <= 3000; at_ms += 500) ring.add(moment(at_ms));
    expect(ring.moments().map(({ at_ms }) => at_ms)).toEqual([2000, 2500, 3000]);
  });

  test("is bounded by bytes too", () => {
    const ring = new RewindRing(100_000, 100);
    for (let at_ms = 0; at_ms < 10; at_ms++) ring.add(moment(at_ms, 40));
    expect([ring.moments().length, ring.bytes]).toEqual([2, 80]);
  });

  test("does not move under who scrubs", () => {
    const ring = new RewindRing(1000, 100);
    ring.add(moment(0));
    const held = ring.moments();
    ring.add(moment(5000));
    expect(held.map(({ at_ms }) => at_ms)).toEqual([0]);
  });
});

describe("recording", () => {
  test("offers one type for each kind of file that the browser makes", () => {
    expect(recordingTypes((type) => type.startsWith("video/webm")).map(({ mimeType }) => mimeType)).toEqual([
      "video/webm;codecs=vp9",
    ]);
    expect(recordingTypes(() => true).map(({ extension }) => extension)).toEqual(["mp4", "webm"]);
    expect(recordingTypes(() => false)).toEqual([]);
  });

  test("tells time and size", () => {
    expect([clockText(65_900), clockText(0), sizeText(1_250_000)]).toEqual(["1:05", "0:00", "1.3 MB"]);
  });
});
