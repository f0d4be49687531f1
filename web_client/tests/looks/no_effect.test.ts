import { describe, expect, test } from "vitest";
import { type Abilities, usable, whyNoEffect } from "../../src/looks/no_effect";
import type { Control } from "../../src/params/schema";

describe("without effect", () => {
  test.each([
    ["negative_prompt", "none", 5, "negativeIgnored"],
    ["negative_prompt", "embedded", 5, "negativeIgnored"],
    ["negative_prompt", "cfg", 1, "guidanceOff"],
    ["negative_prompt", "cfg", 1.1, null],
    ["negative_prompt", null, 1, null],
    ["guidance_scale", "none", 5, "guidanceIgnored"],
    ["guidance_scale", "embedded", 5, null],
    ["guidance", "cfg", 1, "guidanceOff"],
    ["guidance", "cfg", 5, null],
    ["strength", "none", 5, null],
    ["amount", "none", 5, null],
  ] as const)("%s, guidance %s at %d: %s", (field, guidance, guidance_scale, why) => {
    expect(whyNoEffect(field, guidance, { guidance_scale, guidance: "full" })).toBe(why);
  });

  test("a negative prompt is not heard where the input stands for it", () => {
    const params = { guidance_scale: 5, guidance: "self" };
    expect(whyNoEffect("negative_prompt", "cfg", params)).toBe("guidedBySelf");
    expect(whyNoEffect("guidance", "cfg", params)).toBeNull();
  });

  test.each([
    ["beyond", { matte: "off" }, "matteOff"],
    ["beyond", { matte: "person" }, null],
    ["feedback_zoom", { feedback: 0 }, "feedbackOff"],
    ["feedback_turn", { feedback: 0 }, "feedbackOff"],
    ["feedback_turn", { feedback: 0.1 }, null],
  ] as const)("%s with %o: %s", (field, params, why) => {
    expect(whyNoEffect(field, "cfg", params)).toBe(why);
  });
});

describe("no place on the page", () => {
  const choice = (name: string, options: string[]) => ({ kind: "choice", name, options }) as Control;
  const controls = [
    choice("guidance", ["full", "self"]),
    choice("matte", ["off", "person", "drawn"]),
    choice("beyond", ["input", "key"]),
    { kind: "number", name: "guidance_scale" } as Control,
  ];
  const names = (abilities: Abilities) => usable(controls, abilities).map(({ name }) => name);

  test.each([
    ["none", ["matte", "beyond", "guidance_scale"]],
    ["embedded", ["matte", "beyond", "guidance_scale"]],
    ["cfg", ["guidance", "matte", "beyond", "guidance_scale"]],
    [null, ["guidance", "matte", "beyond", "guidance_scale"]],
  ] as const)("has a choice of guidance where there is only one: %s", (guidance, left) => {
    expect(names({ guidance, mattes: null, hasBestSteps: false })).toEqual(left);
  });

  test("have mattes that do nothing", () => {
    const matte = usable(controls, { guidance: "cfg", mattes: ["off", "drawn"], hasBestSteps: false })[1];
    expect(matte).toMatchObject({ name: "matte", options: ["off", "drawn"] });
    expect(names({ guidance: "cfg", mattes: ["off"], hasBestSteps: false })).toEqual(["guidance", "guidance_scale"]);
    expect(names({ guidance: "cfg", mattes: [], hasBestSteps: false })).toEqual(["guidance", "guidance_scale"]);
  });

  test("have steps where the model looks best with those that are set", () => {
    const steps = [{ kind: "number", name: "num_inference_steps" } as Control];
    const abilities: Abilities = { guidance: null, mattes: null, hasBestSteps: true };
    expect(usable(steps, abilities)).toEqual([]);
    expect(usable(steps, { ...abilities, hasBestSteps: false })).toEqual(steps);
  });
});
