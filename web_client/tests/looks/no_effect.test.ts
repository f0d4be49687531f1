import { describe, expect, test } from "vitest";
import { type Abilities, usable, whyNoEffect } from "../../src/looks/no_effect";
import type { Control } from "../../src/params/schema";

const guided = { guidance: "cfg", hasNegativeScale: false } as const;

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
    expect(whyNoEffect(field, { guidance, hasNegativeScale: false }, { guidance_scale, guidance: "full" })).toBe(why);
  });

  test("a negative prompt is not heard where the input stands for it", () => {
    const params = { guidance_scale: 5, guidance: "self" };
    expect(whyNoEffect("negative_prompt", guided, params)).toBe("guidedBySelf");
    expect(whyNoEffect("guidance", guided, params)).toBeNull();
  });

  test.each([
    ["none", { guidance_scale: 5, negative_scale: 1 }, "negativeOff", null],
    ["none", { guidance_scale: 5, negative_scale: 2 }, null, null],
    ["embedded", { guidance_scale: 8, negative_scale: 2 }, null, null],
    ["cfg", { guidance_scale: 1, negative_scale: 2 }, null, null],
    ["cfg", { guidance_scale: 1, negative_scale: 1 }, "negativeOff", null],
    ["cfg", { guidance_scale: 4, guidance: "full", negative_scale: 1 }, null, "guidedInstead"],
    ["cfg", { guidance_scale: 4, guidance: "self", negative_scale: 1 }, "negativeOff", null],
    [null, { guidance_scale: 4, negative_scale: 1 }, "negativeOff", null],
  ] as const)("with a negative scale: guidance %s, %o", (guidance, params, ofPrompt, ofScale) => {
    const abilities = { guidance, hasNegativeScale: true };
    expect(whyNoEffect("negative_prompt", abilities, params)).toBe(ofPrompt);
    expect(whyNoEffect("negative_scale", abilities, params)).toBe(ofScale);
  });

  test.each([
    ["beyond", { matte: "off" }, "matteOff"],
    ["beyond", { matte: "person" }, null],
    ["feedback_zoom", { feedback: 0 }, "feedbackOff"],
    ["feedback_turn", { feedback: 0 }, "feedbackOff"],
    ["feedback_turn", { feedback: 0.1 }, null],
  ] as const)("%s with %o: %s", (field, params, why) => {
    expect(whyNoEffect(field, guided, params)).toBe(why);
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
    expect(names({ guidance, hasNegativeScale: true, mattes: null, hasBestSteps: false })).toEqual(left);
  });

  test("have mattes that do nothing", () => {
    const matte = usable(controls, { ...guided, mattes: ["off", "drawn"], hasBestSteps: false })[1];
    expect(matte).toMatchObject({ name: "matte", options: ["off", "drawn"] });
    expect(names({ ...guided, mattes: ["off"], hasBestSteps: false })).toEqual(["guidance", "guidance_scale"]);
    expect(names({ ...guided, mattes: [], hasBestSteps: false })).toEqual(["guidance", "guidance_scale"]);
  });

  test("has a negative scale that the model has not", () => {
    const scale = [{ kind: "number", name: "negative_scale" } as Control];
    expect(usable(scale, { ...guided, mattes: null, hasBestSteps: false })).toEqual([]);
    expect(usable(scale, { ...guided, hasNegativeScale: true, mattes: null, hasBestSteps: false })).toEqual(scale);
  });

  test("have steps where the model looks best with those that are set", () => {
    const steps = [{ kind: "number", name: "num_inference_steps" } as Control];
    const abilities: Abilities = { guidance: null, hasNegativeScale: true, mattes: null, hasBestSteps: true };
    expect(usable(steps, abilities)).toEqual([]);
    expect(usable(steps, { ...abilities, hasBestSteps: false })).toEqual(steps);
  });

  test("has the number of nets that a target leaves where no net is loaded", () => {
    const nets = [{ kind: "number", name: "min_nets" } as Control];
    const abilities: Abilities = { guidance: null, hasNegativeScale: true, mattes: null, hasBestSteps: false };
    expect(usable(nets, { ...abilities, hasNets: false })).toEqual([]);
    expect(usable(nets, { ...abilities, hasNets: true })).toEqual(nets);
  });
});
