/** Keeps a session in view, through restarts and cuts. Knows neither transports nor the page. */

import type { Clock } from "../browser/clock";

export interface StreamEvents {
  /** The session is there, and its pictures follow. */
  open(): void;
  /** The server was heard. */
  heard(): void;
}

/** Shows a session's pictures until its stream ends, fails or is aborted; it is settled then. */
export type Read = (events: StreamEvents, abort: AbortSignal) => Promise<void>;

export interface ViewerOptions {
  clock: Clock;
  read: Read;
  clear: () => void;
}

export const RETRY_MS = 1_000;
/** A short cut is bridged by the last picture; after this it would pass for a live one. */
export const GONE_MS = 5_000;
/** A session may rest for hours, but the server says something every second; a vanished machine never ends its stream. */
export const SILENCE_MS = 10_000;

export class Viewer {
  readonly #options: ViewerOptions;
  #callOffClear: (() => void) | null = null;

  constructor(options: ViewerOptions) {
    this.#options = options;
  }

  /** Shows the stream, and after its end, whatever ended it, tries again: nobody sits before this page. */
  async show(): Promise<void> {
    const { clock, read, clear } = this.#options;
    const abort = new AbortController();
    const listen = () => clock.after(SILENCE_MS, () => abort.abort());
    let callOffSilence = listen();
    const heard = () => {
      callOffSilence();
      callOffSilence = listen();
    };
    const open = () => {
      this.#callOffClear?.();
      this.#callOffClear = null;
      heard();
    };
    await read({ open, heard }, abort.signal).catch(() => {});
    callOffSilence();
    this.#callOffClear ??= clock.after(GONE_MS, clear);
    clock.after(RETRY_MS, () => void this.show());
  }
}
