/** Few steps while the pen moves, the user's own when it rests: pictures that follow the hand, then a good one. */

import type { Clock } from "./clock";

/** Longer than a pen stands still in the middle of a stroke. */
const REST_MS = 350;

export interface RefinerOptions {
  clock: Clock;
  /** Whether somebody wants this. */
  isWanted: () => boolean;
  /** Puts the fewest steps in force for a while; the user's own setting stays theirs. */
  lend: () => void;
  giveBack: () => void;
}

export class Refiner {
  readonly #options: RefinerOptions;
  #callOff: (() => void) | null = null;

  constructor(options: RefinerOptions) {
    this.#options = options;
  }

  /** The pen draws. */
  readonly moved = (): void => {
    const { clock, isWanted, lend } = this.#options;
    if (!isWanted()) return;
    if (this.#callOff) this.#callOff();
    else lend();
    this.#callOff = clock.after(REST_MS, this.rest);
  };

  /** The pen rests, or this is no longer wanted. */
  readonly rest = (): void => {
    if (!this.#callOff) return;
    this.#callOff();
    this.#callOff = null;
    this.#options.giveBack();
  };
}
