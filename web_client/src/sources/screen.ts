/** A screen, a window or a tab as a source: the browser asks which. */

import { MovingPicture, stopTracks } from "./moving";
import { type CroppedSource, type Picture, SourceError, type SourceProblem } from "./source";

export class Screen implements CroppedSource {
  readonly isStill = false;
  readonly #moving = new MovingPicture();
  readonly view = this.#moving.view;
  readonly shape = this.#moving.shape;
  readonly #onLost: (problem: SourceProblem) => void;
  #stream: MediaStream | null = null;
  #changed: () => void = () => {};
  /** Counts openings: the choice may be made after the source was switched away. */
  #opening = 0;

  constructor(onLost: (problem: SourceProblem) => void) {
    this.#onLost = onLost;
  }

  async start(changed: () => void): Promise<void> {
    this.#changed = changed;
    await this.#open();
  }

  stop(): void {
    this.#opening++;
    this.#release();
  }

  /** Asks for another screen or window; the one that is shown stays until there is one. */
  async choose(): Promise<void> {
    await this.#open();
  }

  picture(): Picture | null {
    return this.#moving.picture(false);
  }

  async #open(): Promise<void> {
    const opening = ++this.#opening;
    if (!window.isSecureContext) throw new SourceError("screenInsecure");
    // Phones have cameras to share, but no screen.
    if (!navigator.mediaDevices?.getDisplayMedia) throw new SourceError("screenMissing");
    const stream = await this.#ask();
    if (!stream) return;
    if (opening !== this.#opening) {
      stopTracks(stream);
      return;
    }
    this.#release();
    this.#stream = stream;
    stream.getVideoTracks()[0]?.addEventListener("ended", () => {
      if (stream !== this.#stream) return;
      this.#release();
      this.#onLost("screenEnded");
    });
    await this.#moving.show(stream, this.#changed);
  }

  /** null where nothing else was chosen than what is shown already. */
  async #ask(): Promise<MediaStream | null> {
    try {
      return await navigator.mediaDevices.getDisplayMedia({
        video: { frameRate: { ideal: 30 } },
        audio: false,
        // This page would show itself showing itself.
        selfBrowserSurface: "exclude",
        surfaceSwitching: "include",
      } as DisplayMediaStreamOptions);
    } catch (error) {
      if (this.#stream) return null;
      const isRefusal = error instanceof DOMException && error.name === "NotAllowedError";
      throw new SourceError(isRefusal ? "screenRefused" : "screenBusy", error);
    }
  }

  #release(): void {
    if (this.#stream) stopTracks(this.#stream);
    this.#stream = null;
    this.#moving.clear();
  }
}
