/** Tells which settings do nothing with this model or beside the others, and why. Pure. */

import type { Control } from "../params/schema";
import type { Guidance, Value } from "../protocol";

export type NoEffect =
  | "guidanceIgnored"
  | "negativeIgnored"
  | "guidanceOff"
  | "negativeOff"
  | "guidedInstead"
  | "guidedBySelf"
  | "matteOff"
  | "feedbackOff";

/** What a model can do; null where the server doesn't say, and then nothing is claimed. */
export interface Abilities {
  guidance: Guidance | null;
  /** Whether the negative prompt acts by a scale of its own. */
  hasNegativeScale: boolean;
  /** The values of `matte` that act. */
  mattes: readonly string[] | null;
  /** Whether the number of steps is the one beside which others look worse. */
  hasBestSteps: boolean;
  /** Whether nets are loaded. */
  hasNets?: boolean;
}

/** The controls that are worth their place on the page: without choices that this model has not, or has only one of. */
export function usable(controls: readonly Control[], abilities: Abilities): Control[] {
  const { guidance, hasNegativeScale, mattes, hasBestSteps, hasNets } = abilities;
  const hasMattes = mattes === null || mattes.some((matte) => matte !== "off");
  return controls.flatMap((control) => {
    const { kind, name } = control;
    if (name === "guidance" && (guidance === "none" || guidance === "embedded")) return [];
    if (name === "negative_scale" && !hasNegativeScale) return [];
    if (name === "num_inference_steps" && hasBestSteps) return [];
    if (name === "min_nets" && hasNets === false) return [];
    if (["matte", "beyond"].includes(name) && !hasMattes) return [];
    if (name !== "matte" || kind !== "choice" || mattes === null) return [control];
    return [{ ...control, options: control.options.filter((option) => mattes.includes(String(option))) }];
  });
}

export function whyNoEffect(
  field: string,
  { guidance, hasNegativeScale }: Pick<Abilities, "guidance" | "hasNegativeScale">,
  params: Readonly<Record<string, Value>>,
): NoEffect | null {
  switch (field) {
    case "beyond":
      return params.matte === "off" ? "matteOff" : null;
    case "feedback_zoom":
    case "feedback_turn":
      return params.feedback === 0 ? "feedbackOff" : null;
    case "guidance_scale":
      return guidance === "none" ? "guidanceIgnored" : null;
    case "guidance":
      return guidance === "cfg" && isUnguided(params) ? "guidanceOff" : null;
    case "negative_prompt":
      return whyNotNegative(guidance, hasNegativeScale, params);
    case "negative_scale":
      return guidance === "cfg" && !isUnguided(params) && params.guidance !== "self" ? "guidedInstead" : null;
    default:
      return null;
  }
}

function whyNotNegative(
  guidance: Guidance | null,
  hasNegativeScale: boolean,
  params: Readonly<Record<string, Value>>,
): NoEffect | null {
  if (hasNegativeScale) {
    const isGuided = guidance === "cfg" && !isUnguided(params) && params.guidance !== "self";
    return isGuided || Number(params.negative_scale) > 1 ? null : "negativeOff";
  }
  if (guidance === "none" || guidance === "embedded") return "negativeIgnored";
  if (guidance === null) return null;
  if (isUnguided(params)) return "guidanceOff";
  return params.guidance === "self" ? "guidedBySelf" : null;
}

function isUnguided({ guidance_scale }: Readonly<Record<string, Value>>): boolean {
  return typeof guidance_scale === "number" && guidance_scale <= 1;
}
