/** Keeps a session's pictures in view, through restarts and cuts. Knows neither HTTP nor the page. */

import type { Clock } from "../browser/clock";

export type Part = Uint8Array<ArrayBuffer>;

export interface StreamEvents {
  /** The session is there, and its pictures follow. */
  open(): void;
  picture(part: Part): Promise<void>;
}

export interface ViewerOptions {
  clock: Clock;
  /** Reads the stream until it ends, fails or is aborted; it is settled then. */
  read: (events: StreamEvents, abort: AbortSignal) => Promise<void>;
  /** Asks whether the session is still there. */
  isThere: () => Promise<boolean>;
  draw: (part: Part) => Promise<void>;
  clear: () => void;
}

export const RETRY_MS = 1_000;
/** A short cut is bridged by the last picture; after this it would pass for a live one. */
export const GONE_MS = 5_000;
/** A session may rest for hours, so silence alone says nothing; but a vanished machine never ends its stream. */
export const SILENCE_MS = 10_000;

export class Viewer {
  readonly #options: ViewerOptions;
  #callOffClear: (() => void) | null = null;
  #callOffWatch: () => void = () => {};

  constructor(options: ViewerOptions) {
    this.#options = options;
  }

  /** Shows the stream, and after its end, whatever ended it, tries again: nobody sits before this page. */
  async show(): Promise<void> {
    const { clock, read, draw, clear } = this.#options;
    const abort = new AbortController();
    const events: StreamEvents = {
      open: () => {
        this.#callOffClear?.();
        this.#callOffClear = null;
        this.#watch(abort);
      },
      picture: async (part) => {
        this.#watch(abort);
        await draw(part);
      },
    };
    await read(events, abort.signal).catch(() => {});
    this.#callOffWatch();
    this.#callOffClear ??= clock.after(GONE_MS, clear);
    clock.after(RETRY_MS, () => void this.show());
  }

  #watch(abort: AbortController): void {
    this.#callOffWatch();
    this.#callOffWatch = this.#options.clock.after(SILENCE_MS, async () => {
      if (await this.#options.isThere()) this.#watch(abort);
      else abort.abort();
    });
  }
}
