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
  /** Tells the server; false where there is no connection. */
  tell: (at: number) => boolean;
}

export class FaderThere {
  readonly #options: FaderThereOptions;
  /** Where the server has it; null where that is not known. */
  #told: number | null = null;
  /** Whether there has been a connection. */
  #wasThere = false;
  #callOff: (() => void) | null = null;

  constructor(options: FaderThereOptions) {
    this.#options = options;
    effect(() => {
      const { goal, at } = options.fader;
      if ((goal.value ?? at.value) !== this.#told) this.#soon();
    });
  }

  /**
   * There is a new connection, and maybe another session.
   * @param theirs where others were the last to move it. It is followed, unless it was moved here while there was no connection.
   */
  connected(theirs?: WireCrossfade): void {
    const isMovedHere = this.#wasThere && this.#here !== this.#told;
    this.#wasThere = true;
    this.#told = null;
    if (theirs && !isMovedHere) this.follow(theirs);
    else this.#soon();
  }

  follow({ at, transition_s }: WireCrossfade): void {
    // It comes from there.
    this.#told = at;
    // On the way there it goes on at its pace.
    if (at !== this.#here) this.#options.fader.goTo(at, transition_s);
  }

  get #here(): number {
    const { goal, at } = this.#options.fader;
    return goal.peek() ?? at.peek();
  }

  /** The first move at once, those of a hand at its pace. */
  #soon(): void {
    const { clock, tell } = this.#options;
    const now = this.#here;
    if (!this.#wasThere || this.#callOff || now === this.#told || !tell(now)) return;
    this.#told = now;
    this.#callOff = clock.after(TELL_MS, () => {
      this.#callOff = null;
      this.#soon();
    });
  }
}
