/** Holds the pictures of the last half minute, each with the params that made it. Pure. */

import type { Params } from "../protocol";

export const SPAN_MS = 30_000;
/** Half a minute of 512×512 at 30 fps is about 40 MB; larger pictures reach back less far. */
export const MAX_BYTES = 64 * 1024 * 1024;

export interface Moment {
  at_ms: number;
  /** The picture as it was received or, of a video, compressed again. */
  picture: Blob;
  params: Params | null;
}

export class RewindRing {
  readonly #span_ms: number;
  readonly #max_bytes: number;
  #moments: Moment[] = [];
  #bytes = 0;

  constructor(span_ms = SPAN_MS, max_bytes = MAX_BYTES) {
    this.#span_ms = span_ms;
    this.#max_bytes = max_bytes;
  }

  add(moment: Moment): void {
    this.#moments.push(moment);
    this.#bytes += moment.picture.size;
    let forgotten = 0;
    for (const { at_ms, picture } of this.#moments) {
      const isOld = moment.at_ms - at_ms > this.#span_ms;
      if (!isOld && this.#bytes <= this.#max_bytes) break;
      this.#bytes -= picture.size;
      forgotten++;
    }
    if (forgotten > 0) this.#moments = this.#moments.slice(forgotten);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** All of them as they are now, oldest first: what comes later doesn't move them under a hand that scrubs. */
  moments(): readonly Moment[] {
    return this.#moments.slice();
  }
}
