/** A video element as a source's view: says when it has a new picture, and what shape its pictures have. */

import { signal } from "@preact/signals";
import { onNextPicture } from "../browser/video_frames";
import type { CropPlace, Picture } from "./source";

/** HTMLMediaElement.HAVE_CURRENT_DATA */
const HAS_PICTURE = 2;

export class MovingPicture {
  readonly view = document.createElement("video");
  readonly shape = signal<{ width: number; height: number } | null>(null);
  #changed: (() => void) | null = null;
  #callOff: () => void = () => {};

  constructor() {
    this.view.muted = true;
    this.view.playsInline = true;
    this.view.addEventListener("resize", this.#measure);
    // Phones pause the camera of a page that goes out of sight, and don't go on by themselves.
    document.addEventListener("visibilitychange", () => !document.hidden && this.view.srcObject && this.#play());
  }

  show(stream: MediaStream, changed: () => void): void {
    this.view.srcObject = stream;
    this.#begin(changed);
  }

  showFile(url: string, changed: () => void): void {
    this.view.src = url;
    this.#begin(changed);
  }

  clear(): void {
    this.#callOff();
    this.#changed = null;
    this.view.srcObject = null;
    this.view.removeAttribute("src");
    this.shape.value = null;
  }

  picture(mirrored: boolean, crop: CropPlace): Picture | null {
    const { videoWidth: width, videoHeight: height, readyState } = this.view;
    // While it begins or is wound there is nothing to draw: a grab would fail.
    const isThere = this.#changed && width > 0 && readyState >= HAS_PICTURE;
    return isThere ? { image: this.view, width, height, mirrored, crop } : null;
  }

  #begin(changed: () => void): void {
    this.#changed = changed;
    this.#play();
    this.#wait();
  }

  #wait(): void {
    this.#callOff();
    this.#callOff = onNextPicture(this.view, () => {
      this.#measure();
      this.#wait();
      this.#changed?.();
    });
  }

  /** Not waited for: a camera that is switched off never begins to play. */
  #play(): void {
    // Rejects when the source is switched away before the first picture; that is no failure.
    this.view.play().catch(() => {});
  }

  readonly #measure = (): void => {
    const { videoWidth: width, videoHeight: height } = this.view;
    const shape = this.shape.peek();
    if (width > 0 && (shape?.width !== width || shape.height !== height)) this.shape.value = { width, height };
  };
}

export function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
