/** Decides what is on air: which pictures lie over which. Pure. */

import type { Air } from "../protocol";

export const layouts = ["inset", "sideBySide", "over", "outputOnly"] as const;
export type Layout = (typeof layouts)[number];

export const blends = ["wipe", "opacity"] as const;
/** How the output lies over the input. */
export type Blend = (typeof blends)[number];

export const refuges = ["black", "camera"] as const;
/** What is shown in a panic. */
export type Refuge = (typeof refuges)[number];

export interface Mix {
  layout: Layout;
  blend: Blend;
  /** Of the output over the input, 0–1. */
  opacity: number;
  /** The line between input and output, 0–1 of the width. */
  wipe: number;
  isBypassed: boolean;
  isPanicked: boolean;
  refuge: Refuge;
}

export interface ProgramLayer {
  what: "input" | "output";
  opacity: number;
  /** The shown part begins here, 0–1 of the width, and goes on to the right edge. */
  from: number;
}

/** The layers, lowest first; none is black. Panic goes before bypass, and both before the layout. */
export function layersOf({ layout, blend, opacity, wipe, isBypassed, isPanicked, refuge }: Mix): ProgramLayer[] {
  if (isPanicked && refuge === "black") return [];
  const input: ProgramLayer = { what: "input", opacity: 1, from: 0 };
  if (isPanicked || isBypassed) return [input];
  const output: ProgramLayer = { what: "output", opacity: 1, from: 0 };
  if (layout !== "over") return [output];
  return [input, blend === "wipe" ? { ...output, from: wipe } : { ...output, opacity }];
}

/** What viewers elsewhere see: the page's cuts, but not its layout. */
export function airOf({ isBypassed, isPanicked, refuge }: Mix): Air {
  if (isPanicked && refuge === "black") return "black";
  return isPanicked || isBypassed ? "bypass" : "on_air";
}
