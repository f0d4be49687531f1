/** Shows results on a canvas, the newest one only. */

import { signal } from "@preact/signals";
import { Flag, Format, type Frame, mimeTypes } from "./protocol";

export class Player {
  readonly view = document.createElement("canvas");
  readonly hasPicture = signal(false);
  #shownSeq = -1;

  /**
   * Decodes and draws a result.
   * @returns whether it is on the screen now; false where a newer one was faster or it can't be decoded.
   */
  async show(frame: Frame): Promise<boolean> {
    if (frame.format === Format.none || frame.flags & Flag.repeat) return this.hasPicture.peek();
    let bitmap: ImageBitmap;
    try {
      bitmap = await createImageBitmap(new Blob([frame.payload], { type: mimeTypes[frame.format] }));
    } catch {
      // A picture that can't be decoded counts like a dropped one: the last good one stays.
      return false;
    }
    const isNewest = frame.seq > this.#shownSeq;
    if (isNewest) {
      this.#shownSeq = frame.seq;
      this.#draw(bitmap);
    }
    bitmap.close();
    return isNewest;
  }

  /** The picture on the screen as a PNG; null where there is none yet. */
  async snapshot(): Promise<Blob | null> {
    if (!this.hasPicture.peek()) return null;
    return new Promise((resolve) => this.view.toBlob(resolve, "image/png"));
  }

  #draw(bitmap: ImageBitmap): void {
    if (this.view.width !== bitmap.width || this.view.height !== bitmap.height) {
      this.view.width = bitmap.width;
      this.view.height = bitmap.height;
    }
    this.view.getContext("2d", { alpha: false })?.drawImage(bitmap, 0, 0);
    this.hasPicture.value = true;
  }
}
