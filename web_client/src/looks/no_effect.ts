/** Tells which fields do nothing with this model, and why. Pure. */

import type { Guidance, Value } from "../protocol";

export type NoEffect = "guidanceIgnored" | "negativeIgnored" | "guidanceOff";

/** @param guidance how the model hears guidance; null where the server doesn't say, and then nothing is claimed. */
export function whyNoEffect(
  field: string,
  guidance: Guidance | null,
  params: Readonly<Record<string, Value>>,
): NoEffect | null {
  if (field === "guidance_scale" && guidance === "none") return "guidanceIgnored";
  if (field !== "negative_prompt") return null;
  if (guidance === "none" || guidance === "embedded") return "negativeIgnored";
  const scale = params.guidance_scale;
  return guidance === "cfg" && typeof scale === "number" && scale <= 1 ? "guidanceOff" : null;
}
