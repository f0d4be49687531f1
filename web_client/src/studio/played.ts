/**
 * What others have a part in who play this session: remotes, desks, programs. They find the presets as pads on the server,
 * and what they command is seen here. Knows no page.
 */

import { effect } from "@preact/signals";
import type { Clock } from "../browser/clock";
import { transitionOf } from "../looks/look";
import type { Presets } from "../looks/presets";

/** Presets change one after another while somebody renames or moves them. */
const REST_MS = 300;

export interface PadsOptions {
  clock: Clock;
  presets: () => Presets;
  /** Whether looks leave the seed alone. */
  isSeedLocked: () => boolean;
  /** Gives the session its pads. */
  put: (pads: readonly PadOnWire[]) => Promise<void>;
}

export interface PadOnWire {
  name: string;
  look: Readonly<Record<string, unknown>>;
  transition_s?: number;
  picture?: string;
}

export class PadsThere {
  readonly #options: PadsOptions;
  #callOff = () => {};
  #isThere = false;
  /** Whether this session has been given some: then it is told when there are none any more, too. */
  #hasSome = false;

  constructor(options: PadsOptions) {
    this.#options = options;
    effect(() => {
      options.presets();
      options.isSeedLocked();
      this.#soon();
    });
  }

  /** There is a new connection, and maybe another session. */
  connected(): void {
    this.#isThere = true;
    this.#hasSome = false;
    this.#soon();
  }

  #soon(): void {
    this.#callOff();
    if (this.#isThere) this.#callOff = this.#options.clock.after(REST_MS, () => void this.#put());
  }

  async #put(): Promise<void> {
    const pads = padsOf(this.#options.presets(), this.#options.isSeedLocked());
    if (pads.length === 0 && !this.#hasSome) return;
    this.#hasSome = true;
    // Of a server that has gone meanwhile: the next connection tries again.
    await this.#options.put(pads).catch(() => {});
  }
}

/** Presets as the server takes them. */
export function padsOf(presets: Presets, isSeedLocked: boolean): PadOnWire[] {
  return presets.map(({ name, look, picture }) => {
    const { transition_s: _, seed, ...rest } = look;
    const own_s = transitionOf(look);
    return {
      name,
      look: { ...rest, ...(seed !== undefined && !isSeedLocked && { seed }) },
      ...(own_s !== undefined && { transition_s: own_s }),
      ...(picture !== undefined && { picture }),
    };
  });
}
