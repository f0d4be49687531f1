/** Finds the sharpest size that keeps a rate, by trying one after the other while pictures flow. Pure. */

import type { Stats } from "../protocol";

/** Pictures a second that a first size is to keep. */
export const ENOUGH_FPS = 20;
/** Seconds of a size that count for nothing: what is made for it alone comes after it. */
const SETTLE_S = 10;
const SAMPLES = 5;
/** A frame's work grows a little more than its pixels do. */
const MARGIN = 1.2;

export class Sharpest {
  readonly #levels: readonly number[];
  readonly #smallest: number;
  #pixels: number;
  #rates: number[] = [];
  #isOver = false;

  /**
   * @param pixels of the pictures now.
   * @param levels to choose from, in pixels.
   * @param smallest in pixels, for a machine that doesn't keep the rate at any of them.
   */
  constructor(pixels: number, levels: readonly number[], smallest: number) {
    [this.#pixels, this.#smallest] = [pixels, smallest];
    this.#levels = [...levels].sort((a, b) => a - b);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Once a second while an input moves.
   * @returns how many pixels to take from now on; null to stay.
   */
  add(stats: Stats): number | null {
    if (this.#isOver) return null;
    this.#rates.push(stats.fps_out);
    if (this.#rates.length < SETTLE_S + SAMPLES) return null;
    const fps = this.#rates.slice(-SAMPLES).reduce((sum, rate) => sum + rate, 0) / SAMPLES;
    const isEnough = fps >= ENOUGH_FPS;
    const next = isEnough ? this.#higher(work_ms(stats)) : this.#lower(fps);
    this.#isOver = next === null || !isEnough;
    [this.#pixels, this.#rates] = [next ?? this.#pixels, []];
    return next;
  }

  #higher(work: number): number | null {
    const room = (this.#pixels * 1000) / ENOUGH_FPS / (work * MARGIN);
    return this.#levels.find((pixels) => pixels > this.#pixels && pixels <= room) ?? null;
  }

  /** The level before, which was enough; below all of them what the rate says. */
  #lower(fps: number): number | null {
    const before = this.#levels.filter((pixels) => pixels < this.#pixels).at(-1);
    const next = before ?? Math.max(this.#smallest, (this.#pixels * fps) / (ENOUGH_FPS * MARGIN));
    return next < this.#pixels ? next : null;
  }
}

/** What a frame costs from its arrival to its picture, without the time that it waits for its turn. */
function work_ms({ stage_ms: { queue: _, ...stages } }: Stats): number {
  return Object.values(stages).reduce((sum, of) => sum + of, 0);
}
