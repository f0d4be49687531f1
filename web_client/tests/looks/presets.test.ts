import { describe, expect, test } from "vitest";
import * as presets from "../../src/looks/presets";

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

  test("have transitions of their own", () => {
    const [, slow] = presets.retimed([ink, oil], 1, 3);
    expect(slow).toEqual({ name: "Oil", look: { prompt: "oil", transition_s: 3 } });
    expect(presets.readPresets(JSON.parse(presets.exported(slow ? [slow] : [])))).toEqual([slow]);
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

  test("keep their picture, but for one that is none", () => {
    const pictured = { ...ink, picture: "/9j/AAAA" };
    expect(presets.added([], pictured)).toEqual([pictured]);
    expect(presets.readPreset(pictured)).toEqual(pictured);
    for (const picture of ["", "PHN2Zz4=", `/9j/${"A".repeat(20_000)}`, 7]) expect(presets.readPreset({ ...ink, picture })).toEqual(ink);
    expect(presets.overwritten([pictured], 0, oil.look)).toEqual([{ name: "Ink", look: oil.look }]);
    expect(presets.overwritten([ink], 0, oil.look, "/9j/BBBB")[0]?.picture).toBe("/9j/BBBB");
  });
});
