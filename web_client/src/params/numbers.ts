/** Moves a number field and draws a seed, within the field's bounds. Pure. */

import type { NumberControl } from "./schema";

type Bounds = Pick<NumberControl, "min" | "max" | "step">;

/** Seeds stay short enough to read aloud, where the schema would allow longer ones. */
const MAX_SEED = 2 ** 31 - 1;

/** `value` moved by a share of the field's range, on one of its steps. */
export function moved({ min, max, step }: Bounds, value: number, share: number): number {
  const target = Math.round((value + share * ((max ?? 1) - (min ?? 0))) / step) * step;
  // Steps such as 0.01 have no exact binary form.
  return Number(Math.min(max ?? target, Math.max(min ?? target, target)).toFixed(6));
}

/** A seed within the bounds; `random` is in [0, 1). */
export function seedFrom({ min, max }: Pick<Bounds, "min" | "max">, random: number): number {
  const from = min ?? 0;
  return from + Math.floor(random * (Math.min(max ?? MAX_SEED, MAX_SEED) - from + 1));
}
