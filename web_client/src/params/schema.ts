/** Turns the params' JSON schema into the panel's controls. Pure; leaves out what it doesn't understand. */

import type { Value } from "../protocol";

interface ControlBase {
  name: string;
  title: string;
  description: string;
  /** The server's default; undefined where it doesn't say. */
  neutral: Value | undefined;
  /** The settings among which it is shown; null where it belongs to none. */
  group: string | null;
  /** Shown at once, not behind "More settings". */
  isPrimary: boolean;
}

export interface NumberControl extends ControlBase {
  kind: "number";
  min: number | null;
  max: number | null;
  step: number;
  hasSlider: boolean;
  /** Sent when the control is left, not while typing: a size is costly to change, and half of one is wrong. */
  isSettled: boolean;
  isSeed: boolean;
  /** May be left empty: null. */
  isOptional: boolean;
}

export interface TextControl extends ControlBase {
  kind: "text";
  isMultiline: boolean;
  maxLength: number | null;
}

export interface ChoiceControl extends ControlBase {
  kind: "choice";
  options: (string | number)[];
}

export interface ToggleControl extends ControlBase {
  kind: "toggle";
}

export type Control = NumberControl | TextControl | ChoiceControl | ToggleControl;

/** The part of JSON schema that params use, and our hints. */
export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  maxLength?: number;
  readOnly?: boolean;
  anyOf?: Schema[];
  allOf?: Schema[];
  oneOf?: Schema[];
  $ref?: string;
  properties?: Record<string, Schema>;
  $defs?: Record<string, Schema>;
  "x-control"?: string;
  "x-step"?: number;
  "x-max"?: number;
  "x-group"?: string;
}

const PRIMARY = ["prompt", "num_inference_steps", "seed"];
/** More positions than this can't be hit with a finger, so such numbers get no slider. */
const MAX_SLIDER_POSITIONS = 2000;
/** Text that may be longer than this gets several lines. */
const MAX_LINE_LENGTH = 200;

/** The controls in the schema's order, the primary ones first. */
export function controlsFrom(schema: Schema): Control[] {
  const controls = Object.entries(schema.properties ?? {})
    .map(([name, property]) => controlFrom(name, property, schema))
    .filter((control) => control !== null);
  const rank = ({ name, isPrimary }: Control) => (isPrimary ? PRIMARY.indexOf(name) : PRIMARY.length);
  return controls.sort((a, b) => rank(a) - rank(b));
}

function controlFrom(name: string, property: Schema, root: Schema): Control | null {
  const schema = resolve(property, root);
  const hint = schema["x-control"];
  if (!schema || schema.readOnly || hint === "hidden" || name === "version") return null;
  const base: ControlBase = {
    name,
    title: schema.title ?? name.replaceAll("_", " "),
    description: schema.description ?? "",
    neutral: schema.default as Value | undefined,
    group: schema["x-group"] ?? null,
    isPrimary: PRIMARY.includes(name),
  };
  const options = (schema.enum ?? []).filter((option) => typeof option === "string" || typeof option === "number");
  if (options.length > 0) return { ...base, kind: "choice", options };
  switch (schema.type) {
    case "integer":
    case "number":
      return numberControl(base, schema, isNullable(property));
    case "string": {
      const maxLength = schema.maxLength ?? null;
      const isMultiline = hint === "textarea" || name === "prompt" || (maxLength ?? 0) > MAX_LINE_LENGTH;
      return { ...base, kind: "text", isMultiline, maxLength };
    }
    case "boolean":
      return { ...base, kind: "toggle" };
    default:
      return null;
  }
}

function isNullable({ anyOf = [], oneOf = [] }: Schema): boolean {
  return [...anyOf, ...oneOf].some(({ type }) => type === "null");
}

function numberControl(base: ControlBase, schema: Schema, isOptional: boolean): NumberControl {
  const isInteger = schema.type === "integer";
  const step = schema["x-step"] ?? schema.multipleOf ?? (isInteger ? 1 : 0.01);
  const min = schema.minimum ?? schema.exclusiveMinimum ?? null;
  const max = schema["x-max"] ?? schema.maximum ?? schema.exclusiveMaximum ?? null;
  const hint = schema["x-control"];
  const isSeed = hint === "seed" || base.name === "seed";
  const fits = min !== null && max !== null && (max - min) / step <= MAX_SLIDER_POSITIONS;
  const isSettled = isInteger && step > 1;
  // A slider has no place for "none".
  const hasSlider = fits && !isSeed && !isSettled && !isOptional && hint !== "number";
  return { ...base, kind: "number", min, max, step, hasSlider, isSettled, isSeed, isOptional };
}

/** Follows local references, and takes of several alternatives the first that a control can show. */
function resolve(property: Schema, root: Schema): Schema {
  const { $ref, anyOf, oneOf, allOf, ...own } = property;
  const referred = $ref?.match(/^#\/\$defs\/([^/]+)$/)?.[1];
  const parts: Schema[] = [];
  if (referred !== undefined) parts.push(resolve(root.$defs?.[referred] ?? {}, root));
  if (allOf?.[0]) parts.push(resolve(allOf[0], root));
  const shown = [...(anyOf ?? []), ...(oneOf ?? [])]
    .map((alternative) => resolve(alternative, root))
    .find(({ type, enum: values }) => values || ["string", "number", "integer", "boolean"].includes(type ?? ""));
  if (shown) parts.push(shown);
  // What stands at the property itself (its title, its description) speaks for it.
  return Object.assign({}, ...parts, own) as Schema;
}
