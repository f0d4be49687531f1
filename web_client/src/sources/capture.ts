/** One captured stream at a time, shown as a video: what camera and screen share. */

import { MovingPicture, stopTracks } from "./moving";
import type { Picture } from "./source";

export class Capture {
  readonly #moving = new MovingPicture();
  readonly view = this.#moving.view;
  readonly shape = this.#moving.shape;
  readonly #onEnded: () => void;
  #stream: MediaStream | null = null;
  /** Counts openings: whoever is asked may answer after the source was switched away. */
  #opening = 0;

  /** `onEnded` is called when the stream ends by itself: unplugged, or taken back. */
  constructor(onEnded: () => void) {
    this.#onEnded = onEnded;
  }

  get isOpen(): boolean {
    return this.#stream !== null;
  }

  /** Shows the stream that `ask` gives instead of the one before; null leaves that. Returns the new stream. */
  async open(ask: () => Promise<MediaStream | null>, changed: () => void): Promise<MediaStream | null> {
    const opening = ++this.#opening;
    const stream = await ask();
    if (!stream) return null;
    if (opening !== this.#opening) {
      stopTracks(stream);
      return null;
    }
    this.release();
    this.#stream = stream;
    stream.getVideoTracks()[0]?.addEventListener("ended", () => {
      if (stream !== this.#stream) return;
      this.release();
      this.#onEnded();
    });
    await this.#moving.show(stream, changed);
    return stream;
  }

  /** Ends what is on show, and what is still being asked for. */
  stop(): void {
    this.#opening++;
    this.release();
  }

  /** Ends what is on show. */
  release(): void {
    if (this.#stream) stopTracks(this.#stream);
    this.#stream = null;
    this.#moving.clear();
  }

  picture(mirrored: boolean): Picture | null {
    return this.#moving.picture(mirrored);
  }
}
