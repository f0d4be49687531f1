/** The program as a small window above all others, where the browser has that. */

import { signal } from "@preact/signals";
import { createDrawnStream } from "./drawn_stream";
import type { Program } from "./program";

export class PictureInPicture {
  readonly isOpen = signal(false);
  readonly isAvailable = "pictureInPictureEnabled" in document && document.pictureInPictureEnabled;

  readonly #program: Program;
  readonly #video = document.createElement("video");
  #release: () => void = () => {};

  constructor(program: Program) {
    this.#program = program;
    this.#video.muted = true;
    this.#video.addEventListener("leavepictureinpicture", () => this.#end());
  }

  /** Opens or closes it. Resolves to false where the browser refused. */
  async toggle(): Promise<boolean> {
    if (this.isOpen.peek()) {
      await document.exitPictureInPicture().catch(() => this.#end());
      return true;
    }
    const drawn = createDrawnStream(this.#program, {});
    this.#release = drawn.release;
    this.#video.srcObject = drawn.stream;
    try {
      await this.#video.play();
      await this.#video.requestPictureInPicture();
      this.isOpen.value = true;
      return true;
    } catch {
      this.#end();
      return false;
    }
  }

  #end(): void {
    this.#release();
    this.#release = () => {};
    this.#video.srcObject = null;
    this.isOpen.value = false;
  }
}
