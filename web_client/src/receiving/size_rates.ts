/** How many pictures a second came at each size, as measured while it was in force. Guesses nothing. */

import { signal } from "@preact/signals";
import type { Params, Stats } from "../protocol";

/** What the server says covers two seconds; a size that is new to it comes slowly at first. */
const SETTLE_MS = 5000;
const SAMPLES = 6;
/** Of the pictures of a second, those that may be answers that nothing is new: they cost the server nothing. */
const MOST_REPEATS = 0.2;
/** What else than the size makes pictures slow or fast. */
const ALSO = ["num_inference_steps", "guidance", "guidance_scale", "matte"];

export class SizeRates {
  /** Pictures a second, by `sizeKey`. */
  readonly measured = signal<ReadonlyMap<string, number>>(new Map());

  #circumstances = "";
  #size = "";
  #since_ms = Number.POSITIVE_INFINITY;
  #repeated = 0;
  #samples: number[] = [];

  /**
   * Once a second.
   * @param isLive whether an input moves and its pictures go to the server, so that it is the server that is measured.
   */
  add(now_ms: number, stats: Stats, model: string, params: Params, isLive: boolean): void {
    const circumstances = JSON.stringify([model, ...ALSO.map((field) => params[field] ?? null)]);
    if (circumstances !== this.#circumstances) this.measured.value = new Map();
    const size = sizeKey(params);
    const repeats = (stats.repeated ?? 0) - this.#repeated;
    const { governor } = stats;
    const isSmaller = governor !== undefined && sizeKey(governor) !== size;
    if (circumstances !== this.#circumstances || size !== this.#size || !isLive || isSmaller) {
      this.#since_ms = now_ms;
      this.#samples = [];
    }
    [this.#circumstances, this.#size, this.#repeated] = [circumstances, size, stats.repeated ?? 0];
    if (now_ms - this.#since_ms < SETTLE_MS || stats.fps_out === 0 || repeats > MOST_REPEATS * stats.fps_out) return;
    this.#samples = [...this.#samples, stats.fps_out].slice(-SAMPLES);
    const mean = this.#samples.reduce((sum, fps) => sum + fps, 0) / this.#samples.length;
    this.measured.value = new Map(this.measured.peek()).set(size, mean);
  }
}

export function sizeKey({ width, height }: { width: number; height: number }): string {
  return `${width}×${height}`;
}
