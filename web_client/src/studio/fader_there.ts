/** The crossfader for others who play this session: desks and programs see where it is, and move it. Knows no page. */

import { effect } from "@preact/signals";
import type { Clock } from "../browser/clock";
import type { WireCrossfade } from "../protocol";
import type { Fader } from "../sources/fader";

/** As often as a desk shows it. */
const TELL_MS = 50;

export interface FaderThereOptions {
  clock: Clock;
  fader: Fader;
  /** Tells the server; without effect while there is no connection. */
  tell: (at: number) => void;
}

export class FaderThere {
  readonly #options: FaderThereOptions;
  #told: number | null = null;
  #callOff: (() => void) | null = null;

  constructor(options: FaderThereOptions) {
    this.#options = options;
    effect(() => {
      const { goal, at } = options.fader;
      if ((goal.value ?? at.value) !== this.#told) this.#soon();
    });
  }

  /** There is a new connection, and maybe another session. */
  connected(): void {
    this.#told = null;
    this.#soon();
  }

  follow({ at, transition_s }: WireCrossfade): void {
    // It comes from there.
    this.#told = at;
    this.#options.fader.goTo(at, transition_s);
  }

  /** The first move at once, those of a hand at its pace. */
  #soon(): void {
    const { fader, clock, tell } = this.#options;
    const now = fader.goal.peek() ?? fader.at.peek();
    if (this.#callOff || now === this.#told) return;
    this.#told = now;
    tell(now);
    this.#callOff = clock.after(TELL_MS, () => {
      this.#callOff = null;
      this.#soon();
    });
  }
}
