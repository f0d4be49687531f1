/** Has a source that rests sent again and again while the server moves its picture by itself. Knows no wire. */

import type { Clock } from "../browser/clock";
import type { Params } from "../protocol";

/** As often as a camera would. */
const AGAIN_MS = 33;
/** The last one is sent when nothing moves any more: its picture is the one that stays. */
const BEHIND_MS = 100;
/** A calm picture rests after 20 frames: time for them on a slow machine. */
const CALMING_MS = 10_000;
/** Repeats in a row that say that it rests; one or two may answer what was sent before it was changed. */
const REPEATS = 3;

export class Mover {
  readonly #clock: Clock;
  readonly #again: () => void;
  #movesUntil_ms = 0;
  #calmsUntil_ms = 0;
  #isCalm = false;
  #repeats = 0;
  #callOff = () => {};

  /** @param again sends the picture again, if it rests. */
  constructor(clock: Clock, again: () => void) {
    this.#clock = clock;
    this.#again = again;
  }

  /** @param gliding_s seconds until all that is shown is as the params say. */
  follow({ seed_travel, feedback, calm }: Params, gliding_s: number): void {
    // With either of them what is made of a picture that rests changes without end.
    if (seed_travel || feedback) this.#movesUntil_ms = Infinity;
    else this.#movesUntil_ms = gliding_s && this.#clock.now() + gliding_s * 1000 + BEHIND_MS;
    this.#isCalm = Boolean(calm);
    this.changed();
  }

  /** What is made of the picture is another, of itself or as its look is: a calm one is on its way to that. */
  changed(): void {
    this.#repeats = 0;
    this.#calmsUntil_ms = this.#isCalm ? Math.max(this.#clock.now(), this.#movesUntil_ms) + CALMING_MS : 0;
    this.#callOff();
    this.#wait();
  }

  /** @param isRepeat whether the answer to a frame was that nothing has changed. */
  answered(isRepeat: boolean): void {
    this.#repeats = isRepeat ? this.#repeats + 1 : 0;
    if (this.#repeats >= REPEATS && this.#clock.now() >= this.#movesUntil_ms) this.#calmsUntil_ms = 0;
  }

  #wait(): void {
    if (this.#clock.now() >= Math.max(this.#movesUntil_ms, this.#calmsUntil_ms)) return;
    this.#callOff = this.#clock.after(AGAIN_MS, () => {
      this.#again();
      this.#wait();
    });
  }
}
