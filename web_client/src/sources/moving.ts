/** A video element as a source's view: says when it has a new picture, and what shape its pictures have. */

import { signal } from "@preact/signals";
import type { Picture } from "./source";

export class MovingPicture {
  readonly view = document.createElement("video");
  readonly shape = signal<{ width: number; height: number } | null>(null);
  #changed: (() => void) | null = null;

  constructor() {
    this.view.muted = true;
    this.view.playsInline = true;
    this.view.addEventListener("resize", this.#measure);
  }

  async show(stream: MediaStream, changed: () => void): Promise<void> {
    this.view.srcObject = stream;
    await this.#begin(changed);
  }

  async showFile(url: string, changed: () => void): Promise<void> {
    this.view.src = url;
    await this.#begin(changed);
  }

  clear(): void {
    this.#changed = null;
    this.view.srcObject = null;
    this.view.removeAttribute("src");
    this.shape.value = null;
  }

  picture(mirrored: boolean): Picture | null {
    const { videoWidth: width, videoHeight: height } = this.view;
    return this.#changed && width > 0 ? { image: this.view, width, height, mirrored } : null;
  }

  async #begin(changed: () => void): Promise<void> {
    this.#changed = changed;
    // Rejects when the source is switched away before the first picture; that is no failure.
    await this.view.play().catch(() => {});
    this.view.requestVideoFrameCallback(this.#onVideoFrame);
  }

  readonly #onVideoFrame = (): void => {
    if (!this.#changed) return;
    this.#measure();
    this.#changed();
    this.view.requestVideoFrameCallback(this.#onVideoFrame);
  };

  readonly #measure = (): void => {
    const { videoWidth: width, videoHeight: height } = this.view;
    const shape = this.shape.peek();
    if (width > 0 && (shape?.width !== width || shape.height !== height)) this.shape.value = { width, height };
  };
}

export function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
