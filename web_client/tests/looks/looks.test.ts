import { describe, expect, test } from "vitest";
import { fragmentFor, presetIn } from "../../src/looks/fragment";
import { lookOf, patchFor, readLook } from "../../src/looks/look";
import { whyNoEffect } from "../../src/looks/no_effect";
import * as presets from "../../src/looks/presets";
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

  test("sets only the fields that the server has", () => {
    expect(patchFor({ prompt: "oil", wings: 2 }, params, false)).toEqual({ prompt: "oil" });
  });

  test("leaves a locked seed alone", () => {
    expect(patchFor({ prompt: "oil", seed: 9 }, params, true)).toEqual({ prompt: "oil" });
  });

  test("never sets a size, whoever wrote it", () => {
    expect(patchFor({ prompt: "oil", width: 2048 }, params, false)).toEqual({ prompt: "oil" });
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

describe("presets", () => {
  const ink = { name: "Ink", look: { prompt: "ink" } };
  const oil = { name: "Oil", look: { prompt: "oil" } };

  test("a name that is taken gets a number", () => {
    const three = presets.added(presets.added([ink], ink), ink);
    expect(three.map(({ name }) => name)).toEqual(["Ink", "Ink 2", "Ink 3"]);
  });

  test("a preset keeps its own name when it is renamed to it", () => {
    expect(presets.renamed([ink, oil], 0, "Ink")[0]?.name).toBe("Ink");
    expect(presets.renamed([ink, oil], 0, "Oil")[0]?.name).toBe("Oil 2");
  });

  test("can be taken away, moved and overwritten", () => {
    expect(presets.removed([ink, oil], 0)).toEqual([oil]);
    expect(presets.moved([ink, oil], 0, 1)).toEqual([oil, ink]);
    expect(presets.moved([ink, oil], 0, -1)).toEqual([ink, oil]);
    expect(presets.overwritten([ink], 0, oil.look)).toEqual([{ name: "Ink", look: oil.look }]);
  });

  test("come back from their file", () => {
    expect(presets.readPresets(JSON.parse(presets.exported([ink, oil])))).toEqual([ink, oil]);
  });

  test("a file of something else is none, and what is no preset in one is left out", () => {
    expect(presets.readPresets({ hello: 1 })).toBeNull();
    expect(presets.readPresets(null)).toBeNull();
    expect(presets.readPresets({ presets: [ink, { name: 3, look: {} }, "x"] })).toEqual([ink]);
  });

  test("are named after the first words of the prompt", () => {
    expect(presets.nameFor("watercolor painting, soft light")).toBe("watercolor painting");
    expect(presets.nameFor("a very long description without any comma")).toBe("a very long description…");
  });
});

describe("an address", () => {
  test("carries a preset there and back, whatever its letters", () => {
    const preset = { name: "Süß 🎨?", look: { prompt: "日本画 +/=", strength: 0.35 } };
    const fragment = fragmentFor(preset);
    expect(fragment).toMatch(/^#preset=[\w-]+$/);
    expect(presetIn(fragment)).toEqual(preset);
  });

  test.each(["", "#", "#preset=", "#preset=%%%", "#preset=bm9uZQ", "#other=1", `#preset=${"A".repeat(40_000)}`])(
    "with the fragment %# has none",
    (fragment) => {
      expect(presetIn(fragment)).toBeNull();
    },
  );
});

describe("without effect", () => {
  test.each([
    ["negative_prompt", "none", 5, "negativeIgnored"],
    ["negative_prompt", "embedded", 5, "negativeIgnored"],
    ["negative_prompt", "cfg", 1, "guidanceOff"],
    ["negative_prompt", "cfg", 1.1, null],
    ["negative_prompt", null, 1, null],
    ["guidance_scale", "none", 5, "guidanceIgnored"],
    ["guidance_scale", "embedded", 5, null],
    ["strength", "none", 5, null],
  ] as const)("%s, guidance %s at %d: %s", (field, guidance, guidance_scale, why) => {
    expect(whyNoEffect(field, guidance, { guidance_scale })).toBe(why);
  });
});
