/** A screen, a window or a tab as a source: the browser asks which. */

import { signal } from "@preact/signals";
import { Capture } from "./capture";
import { CENTRE } from "./crop";
import { type CroppedSource, type OnSourceProblem, type Picture, SourceError } from "./source";

export class Screen implements CroppedSource {
  readonly isStill = false;
  readonly #capture: Capture;
  readonly view: HTMLElement;
  readonly shape: CroppedSource["shape"];
  readonly crop = signal(CENTRE);
  #changed: () => void = () => {};

  constructor({ onLost, onBlank }: OnSourceProblem) {
    this.#capture = new Capture({ onEnded: () => onLost("screenEnded"), onBlank, black: null });
    ({ view: this.view, shape: this.shape } = this.#capture);
  }

  async start(changed: () => void): Promise<void> {
    this.#changed = changed;
    await this.choose();
  }

  stop(): void {
    this.#capture.stop();
  }

  /** Asks for another screen or window; the one that is shown stays until there is one. */
  async choose(): Promise<void> {
    if (!window.isSecureContext) throw new SourceError("screenInsecure");
    // Phones have cameras to share, but no screen.
    if (!navigator.mediaDevices?.getDisplayMedia) throw new SourceError("screenMissing");
    await this.#capture.open(() => this.#ask(), this.#changed);
  }

  picture(): Picture | null {
    return this.#capture.picture(false, this.crop.peek());
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
      if (this.#capture.isOpen) return null;
      const isRefusal = error instanceof DOMException && error.name === "NotAllowedError";
      throw new SourceError(isRefusal ? "screenRefused" : "screenBusy", error);
    }
  }
}
