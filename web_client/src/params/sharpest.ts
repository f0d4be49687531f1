/** Finds the sharpest size that keeps a rate, by trying one after the other while pictures flow. Pure. */

import type { Stats } from "../protocol";

/** Pictures a second that a first size is to keep. */
const ENOUGH_FPS = 20;
/** Seconds of a size that count for nothing: what is made for it alone comes after it. */
const SETTLE_S = 10;
const SAMPLES = 5;
/** A frame's work grows a little more than its pixels do. */
const MARGIN = 1.2;
/** A size that was too large is tried again after so long, then twice as long: a new server is slow, or others use it. */
const RETRY_S = 60;
/** A size that has stayed for so long is the one. */
const STEADY_S = 90;

export class Sharpest {
  readonly #levels: readonly number[];
  #pixels: number;
  #second = 0;
  #since = 0;
  #rates: number[] = [];
  readonly #failed = new Map<number, { wait_s: number; until: number }>();

  /**
   * @param pixels of the pictures now.
   * @param levels to choose from, in pixels.
   */
  constructor(pixels: number, levels: readonly number[]) {
    this.#pixels = pixels;
    this.#levels = [...levels].sort((a, b) => a - b);
  }

  get isOver(): boolean {
    return this.#second - this.#since >= STEADY_S;
  }

  /**
   * Once a second while an input moves.
   * @returns how many pixels to take from now on; null to stay.
   */
  add(stats: Stats): number | null {
    if (this.isOver) return null;
    this.#second += 1;
    this.#rates = [...this.#rates, stats.fps_out].slice(-SAMPLES);
    if (this.#second - this.#since < SETTLE_S + SAMPLES) return null;
    const fps = this.#rates.reduce((sum, rate) => sum + rate, 0) / SAMPLES;
    const next = fps < ENOUGH_FPS ? this.#lower() : this.#higher(work_ms(stats));
    if (next !== null) [this.#pixels, this.#since, this.#rates] = [next, this.#second, []];
    return next;
  }

  #lower(): number | null {
    const wait_s = 2 * (this.#failed.get(this.#pixels)?.wait_s ?? RETRY_S / 2);
    this.#failed.set(this.#pixels, { wait_s, until: this.#second + wait_s });
    return this.#levels.filter((pixels) => pixels < this.#pixels).at(-1) ?? null;
  }

  #higher(work: number): number | null {
    const room = (this.#pixels * 1000) / ENOUGH_FPS / (work * MARGIN);
    const next = this.#levels.find((pixels) => pixels > this.#pixels);
    if (next === undefined || next > room) return null;
    return this.#second >= (this.#failed.get(next)?.until ?? 0) ? next : null;
  }
}

/** What a frame costs from its arrival to its picture, without the time that it waits for its turn. */
function work_ms({ stage_ms: { queue: _, ...stages } }: Stats): number {
  return Object.values(stages).reduce((sum, of) => sum + of, 0);
}
