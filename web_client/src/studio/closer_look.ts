/** Which of many small pictures is seen large for a moment: the one that the pointer rests on, a finger holds, or Tab came to. */

import { signal } from "@preact/signals";
import type { Clock } from "../browser/clock";

/** A pointer that only passes shows nothing. */
const REST_MS = 400;
/** A finger that only presses or scrolls neither. */
const HOLD_MS = 500;

export class CloserLook<T> {
  /** What is seen large; null where nothing is. */
  readonly shown = signal<T | null>(null);

  readonly #clock: Clock;
  #callOff: () => void = () => {};
  #isHeld = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The pointer, or the focus, has come to one. */
  rest(on: T): void {
    this.#isHeld = false;
    // Who looks at one and goes on to the next has rested already.
    if (this.shown.peek() !== null) this.#show(on);
    else this.#after(REST_MS, on);
  }

  /** A finger has come down on one. */
  hold(on: T): void {
    this.#isHeld = false;
    this.#after(HOLD_MS, on, () => (this.#isHeld = true));
  }

  /** The pointer, the finger or the focus has gone; or somebody has seen enough. */
  end(): void {
    this.#callOff();
    this.shown.value = null;
  }

  /** It is pressed. Returns whether that is meant: lifting the finger that held it is not. */
  press(): boolean {
    const isMeant = !this.#isHeld;
    this.#isHeld = false;
    this.end();
    return isMeant;
  }

  #after(ms: number, on: T, also = () => {}): void {
    this.#callOff();
    this.#callOff = this.#clock.after(ms, () => {
      also();
      this.#show(on);
    });
  }

  #show(on: T): void {
    this.#callOff();
    this.shown.value = on;
  }
}
