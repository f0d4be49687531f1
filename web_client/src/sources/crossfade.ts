/** How two pictures become one at each place of the crossfader. Pure. */

export const fadeModes = ["mix", "screen", "add", "multiply", "difference"] as const;
export type FadeMode = (typeof fadeModes)[number];

export interface Crossfade {
  /** What lies under both: what changes nothing in this mode. */
  ground: string;
  /** Opacity of the first picture on the ground, 0–1. */
  a: number;
  /** Opacity of the second one on that, 0–1. */
  b: number;
  /** How the second one is laid on. */
  operation: GlobalCompositeOperation;
}

const operations: Record<FadeMode, GlobalCompositeOperation> = {
  mix: "source-over",
  screen: "screen",
  add: "lighter",
  multiply: "multiply",
  difference: "difference",
};

/**
 * A mix goes straight from one to the other. In the other modes both are whole in the middle: on the way there the second
 * comes, on the way on the first goes. At either end there is only one picture in every mode.
 * @param at the crossfader's place: 0 is the first alone, 1 the second.
 */
export function crossfaded(mode: FadeMode, at: number): Crossfade {
  const isMix = mode === "mix";
  return {
    ground: mode === "multiply" ? "#fff" : "#000",
    a: isMix ? 1 : Math.min(1, 2 - 2 * at),
    b: isMix ? at : Math.min(1, 2 * at),
    operation: operations[mode],
  };
}
