import { describe, expect, test } from "vitest";
import { isShown, lookOf, patchFor, readLook, transitionOf } from "../../src/looks/look";
import type { Params } from "../../src/protocol";

const params: Params = {
  version: 7,
  prompt: "ink",
  strength: 0.4,
  seed: 3,
  width: 512,
  height: 384,
  output_quality: 80,
  latency_ms: null,
};

describe("a look", () => {
  test("has what makes the picture, not its size or how it is sent", () => {
    expect(lookOf(params)).toEqual({ prompt: "ink", strength: 0.4, seed: 3 });
  });

  test("is saved without the time that changes take just now", () => {
    expect(lookOf({ prompt: "ink", transition_s: 3 })).toEqual({ prompt: "ink" });
    expect(transitionOf({ transition_s: 0 })).toBeUndefined();
  });

  test("is shown by params that have all its fields, as far as they have them", () => {
    expect(isShown({ prompt: "ink", strength: 0.4, transition_s: 9, wings: 2 }, params)).toBe(true);
    expect(isShown({ prompt: "ink", strength: 0.5 }, params)).toBe(false);
    expect(isShown({ wings: 2 }, params)).toBe(false);
  });

  test("sets only the fields that the server has", () => {
    expect(patchFor({ prompt: "oil", wings: 2 }, params, false)).toEqual({ prompt: "oil" });
  });

  test("leaves a locked seed alone", () => {
    expect(patchFor({ prompt: "oil", seed: 9 }, params, true)).toEqual({ prompt: "oil" });
  });

  test("has a transition of its own, which stays that of the look", () => {
    expect(patchFor({ prompt: "oil", transition_s: 3 }, { ...params, transition_s: 0 }, false)).toEqual({ prompt: "oil" });
    expect([{ transition_s: 3 }, { transition_s: "3" }, {}].map(transitionOf)).toEqual([3, undefined, undefined]);
  });

  test("never sets a size, whoever wrote it", () => {
    expect(patchFor({ prompt: "oil", width: 2048 }, params, false)).toEqual({ prompt: "oil" });
  });

  test("has control, which may be none at all, and from anywhere only what can be one", () => {
    const control = [{ net: "canny", weight: 1, start: 0, end: 1, source: "input" }];
    expect(lookOf({ ...params, control })).toMatchObject({ control });
    expect(readLook({ prompt: "a", control })).toEqual({ prompt: "a", control });
    expect(readLook({ prompt: "a", control: [] })).toEqual({ prompt: "a", control: [] });
    expect(readLook({ prompt: [], control: [{ net: "canny", weight: 9 }] })).toBeNull();
  });

  test("from anywhere keeps only what can be a param", () => {
    const strange = { prompt: "a", seed: Number.NaN, strength: "0.5", "__proto__ x": 1, deep: { er: 1 }, width: 8 };
    expect(readLook(strange)).toEqual({ prompt: "a", strength: "0.5" });
    expect(readLook({ prompt: [{ text: "a", weight: 1 }] })).toEqual({ prompt: [{ text: "a", weight: 1 }] });
    expect(readLook({ prompt: [{ text: "a", weight: -1 }] })).toBeNull();
    expect(readLook({ prompt: "x".repeat(2001) })).toBeNull();
    expect(readLook([1])).toBeNull();
    expect(readLook(null)).toBeNull();
  });
});
