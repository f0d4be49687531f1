/** The crossfader: a place between two decks, moved by hand or over some seconds, in sight or not. Knows no picture. */

import { batch, signal } from "@preact/signals";
import type { Clock } from "../browser/clock";

export class Fader {
  /** 0: the first deck alone, 1: the second. */
  readonly at = signal(0);
  /** Where it goes by itself; null while it rests. */
  readonly goal = signal<number | null>(null);

  readonly #clock: Clock;
  readonly #onHiddenTick: (action: () => void) => () => void;
  #stop: () => void = () => {};

  /** @param onHiddenTick calls an action again and again while the page is hidden, when there is no repaint. */
  constructor(clock: Clock, onHiddenTick: (action: () => void) => () => void) {
    this.#clock = clock;
    this.#onHiddenTick = onHiddenTick;
  }

  /** By hand: whatever it did by itself ends. */
  set(at: number): void {
    // Nobody sees it rest on the last step of its way.
    batch(() => {
      this.#rest();
      this.at.value = Math.min(1, Math.max(0, Number(at.toFixed(4))));
    });
  }

  /** To the other deck at once: the one that is less to be seen, or that it was going to. */
  cut(): void {
    this.set(this.#other());
  }

  /** To the other deck; while it is on its way, back. The whole way takes `seconds`. */
  go(seconds: number): void {
    const goal = this.#other();
    this.goTo(goal, Math.abs(goal - this.at.peek()) * seconds);
  }

  /** To a place, in so many seconds. */
  goTo(goal: number, seconds: number): void {
    const [from, startedAt_ms, way_ms] = [this.at.peek(), this.#clock.now(), seconds * 1000];
    this.#rest();
    if (way_ms === 0 || goal === from) return this.set(goal);
    this.goal.value = goal;
    let callOff = () => {};
    const step = (): void => {
      callOff();
      const share = Math.min(1, (this.#clock.now() - startedAt_ms) / way_ms);
      if (share === 1) return this.set(goal);
      this.at.value = from + (goal - from) * share;
      callOff = this.#clock.frame(step);
    };
    const endTicks = this.#onHiddenTick(step);
    this.#stop = () => {
      callOff();
      endTicks();
    };
    step();
  }

  #other(): 0 | 1 {
    const goal = this.goal.peek();
    // On its way it turns back.
    return (goal ?? this.at.peek()) < 0.5 ? 1 : 0;
  }

  #rest(): void {
    this.#stop();
    this.#stop = () => {};
    this.goal.value = null;
  }
}
