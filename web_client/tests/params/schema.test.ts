import { describe, expect, test } from "vitest";
import { type Control, controlsFrom, type Schema } from "../../src/params/schema";

function only(property: Schema, name = "field", rest: Schema = {}): Control | undefined {
  return controlsFrom({ ...rest, properties: { [name]: property } })[0];
}

describe("order", () => {
  test("the prompt comes first, then the primary ones, then the schema's order", () => {
    const number: Schema = { type: "number" };
    const properties = {
      width: number,
      seed: number,
      num_inference_steps: number,
      prompt: { type: "string" },
      negative_prompt: { type: "string" },
    };
    expect(controlsFrom({ properties }).map(({ name }) => name)).toEqual([
      "prompt",
      "num_inference_steps",
      "seed",
      "width",
      "negative_prompt",
    ]);
  });
});

describe("numbers", () => {
  test("that may be null can be left empty, and have no slider", () => {
    const latency = { anyOf: [{ type: "number", minimum: 10, maximum: 1000 }, { type: "null" }] };
    expect(only(latency)).toMatchObject({ kind: "number", isOptional: true, hasSlider: false, min: 10, max: 1000 });
  });

  test("with both bounds get a slider", () => {
    expect(
      only(
        { type: "number", minimum: 0, maximum: 1, title: "Strength", description: "How far.", default: 0.5 },
        "strength",
      ),
    ).toEqual({
      kind: "number",
      name: "strength",
      title: "Strength",
      description: "How far.",
      neutral: 0.5,
      group: null,
      isPrimary: false,
      isOptional: false,
      min: 0,
      max: 1,
      step: 0.01,
      hasSlider: true,
      isSettled: false,
      isSeed: false,
    });
  });

  test("take their step from x-step, multipleOf or their type", () => {
    expect(only({ type: "number", multipleOf: 0.1 })).toMatchObject({ step: 0.1 });
    expect(only({ type: "number", "x-step": 0.5, multipleOf: 0.1 })).toMatchObject({ step: 0.5 });
    expect(only({ type: "integer" })).toMatchObject({ step: 1 });
  });

  test("without bounds, or with too many positions, get none", () => {
    expect(only({ type: "number", minimum: 0 })).toMatchObject({ hasSlider: false });
    expect(only({ type: "integer", minimum: 0, maximum: 4294967295 }, "seed")).toMatchObject({
      hasSlider: false,
      isSeed: true,
    });
  });

  test("that count in larger steps, as sizes do, are sent when they are left", () => {
    expect(only({ type: "integer", minimum: 64, maximum: 2048, multipleOf: 8 })).toMatchObject({
      isSettled: true,
      hasSlider: false,
    });
  });
});

describe("texts, choices, toggles", () => {
  test("a prompt that may also be a list is a text", () => {
    const prompt: Schema = { title: "Prompt", anyOf: [{ type: "string", maxLength: 2000 }, { type: "array" }] };
    expect(only(prompt, "prompt")).toMatchObject({ kind: "text", title: "Prompt", isMultiline: true, maxLength: 2000 });
  });

  test("a short text has one line", () => {
    expect(only({ type: "string", maxLength: 40 })).toMatchObject({ kind: "text", isMultiline: false });
  });

  test("an enum behind a reference is a choice with its own title", () => {
    const rest: Schema = { $defs: { OutputFormat: { type: "string", enum: ["jpeg", "png"], title: "OutputFormat" } } };
    expect(only({ $ref: "#/$defs/OutputFormat", title: "Output format" }, "output_format", rest)).toMatchObject({
      kind: "choice",
      title: "Output format",
      options: ["jpeg", "png"],
    });
  });

  test("an optional value is what it is when it is there", () => {
    expect(only({ anyOf: [{ type: "null" }, { type: "integer", minimum: 1, maximum: 9 }] })).toMatchObject({
      kind: "number",
      max: 9,
    });
  });

  test("a boolean is a toggle, and a field without a title goes by its name", () => {
    expect(only({ type: "boolean" }, "is_tiled")).toMatchObject({ kind: "toggle", title: "is tiled" });
  });
});

test("a field says to which others it belongs, also where it stands behind a reference", () => {
  const rest: Schema = { $defs: { Matte: { type: "string", enum: ["off", "person"] } } };
  const matte = only({ $ref: "#/$defs/Matte", "x-group": "matte", default: "off" }, "matte", rest);
  expect(matte).toMatchObject({ kind: "choice", group: "matte", neutral: "off" });
});

test.each<[string, Schema]>([
  ["an unknown type", { type: "object" }],
  ["no type", {}],
  ["a reference that leads nowhere", { $ref: "#/$defs/Gone" }],
  ["a read-only field", { type: "integer", readOnly: true }],
  ["a hidden one", { type: "integer", "x-control": "hidden" }],
])("leaves out %s", (_, property) => {
  expect(only(property)).toBeUndefined();
});
