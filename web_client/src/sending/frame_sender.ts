/** Sends the newest picture of the source as a frame whenever a credit is free. Older ones are never encoded. */

import type { Clock } from "../browser/clock";
import { Flag, type Format, packFrame } from "../protocol";
import type { Source } from "../sources/source";
import { CreditWindow } from "./credit";
import type { Encode } from "./encoder";
import type { Sender } from "./sender";

export interface FrameSenderOptions {
  clock: Clock;
  encode: Encode;
  /** Width and height to send; null while nothing may be sent. */
  target: () => { width: number; height: number } | null;
  send: (bytes: ArrayBuffer) => void;
  onSent: () => void;
  onError: (error: unknown) => void;
}

/** What failed once may fail for a while: a video that is being wound, a canvas that was lost. */
export const RETRY_MS = 100;

export class FrameSender implements Sender {
  readonly credit = new CreditWindow();
  readonly #options: FrameSenderOptions;
  #source: Source | null = null;
  #seq = 0;
  #changedAt_ms: number | null = null;
  #isEncoding = false;
  /** Counts connections: a picture that was being encoded for the last one isn't sent on the next. */
  #connection = 0;

  constructor(options: FrameSenderOptions) {
    this.#options = options;
  }

  use(source: Source | null): void {
    this.#source = source;
    this.#changedAt_ms = null;
  }

  connected(window: number): void {
    this.#connection++;
    this.credit.reset(window);
    this.changed();
  }

  /** There is a new picture, or an old one is wanted again. */
  readonly changed = (): void => {
    this.#changedAt_ms = this.#options.clock.now();
    void this.pump();
  };

  /** Sends if there is something to send and a credit for it; call it whenever either may have come. */
  async pump(): Promise<void> {
    const { clock, encode, target, send, onSent, onError } = this.#options;
    const size = target();
    const picture = this.#source?.picture();
    if (this.#isEncoding || this.#changedAt_ms === null || !size || !picture || !this.credit.free) return;
    const capturedAt_ms = this.#changedAt_ms;
    const source = this.#source;
    const connection = this.#connection;
    this.#changedAt_ms = null;
    this.#isEncoding = true;
    try {
      const { bytes, format } = await encode(picture, size.width, size.height);
      if (connection === this.#connection && target()) {
        const seq = this.#nextSeq();
        this.credit.sent(seq);
        send(packFrame(frameHeader(seq, capturedAt_ms, format, picture.isBlank), bytes));
        onSent();
      }
    } catch (error) {
      onError(error);
      // A still that is lost would never come again.
      if (source === this.#source) this.#changedAt_ms ??= capturedAt_ms;
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
    }
    this.#isEncoding = false;
    void this.pump();
  }

  /** Rises over all connections of the page, so that a late result is never taken for a new one. */
  #nextSeq(): number {
    this.#seq = (this.#seq + 1) >>> 0;
    return this.#seq;
  }
}

function frameHeader(seq: number, capturedAt_ms: number, format: Format, isBlank = false) {
  const captured_us = BigInt(Math.round(capturedAt_ms * 1000));
  return { format, flags: isBlank ? Flag.asIs : 0, seq, captured_us, params_version: 0, engine_us: 0 };
}
