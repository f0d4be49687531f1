/** Lends the fewest steps while the pen moves, and gives the user's own back when it rests. Knows no wire. */

import type { Clock } from "../browser/clock";

/** Longer than a pen stands still in the middle of a stroke. */
const REST_MS = 350;

export interface RefinerOptions {
  clock: Clock;
  /** Whether somebody wants this. */
  isWanted: () => boolean;
  /** Puts the fewest steps in force for a while; the user's own setting stays theirs. Returns whether it could. */
  lend: () => boolean;
  giveBack: () => void;
}

export class Refiner {
  readonly #options: RefinerOptions;
  #callOff: (() => void) | null = null;
  #hasLent = false;

  constructor(options: RefinerOptions) {
    this.#options = options;
  }

  /** The pen draws. */
  readonly moved = (): void => {
    const { clock, isWanted, lend } = this.#options;
    if (!isWanted()) return;
    this.#callOff?.();
    // Once a movement: what is chosen while it lasts stays chosen. The setting itself may still be on its way at first.
    if (!this.#hasLent) this.#hasLent = lend();
    this.#callOff = clock.after(REST_MS, this.rest);
  };

  /** The pen rests, or this is no longer wanted. */
  readonly rest = (): void => {
    if (!this.#callOff) return;
    this.#callOff();
    this.#callOff = null;
    this.#hasLent = false;
    this.#options.giveBack();
  };
}
