/** Shows results: single frames on a canvas, the newest one only, or live video. One of the two is in view. */

import { signal } from "@preact/signals";
import { isStacked, Keyed } from "../browser/keyed";
import { onNextPicture } from "../browser/video_frames";
import { Flag, Format, type Frame, mimeTypes } from "../protocol";
import type { Picture } from "../sources/source";

export class Player {
  readonly hasPicture = signal(false);
  readonly view;

  readonly #onPlayed: (pictures: number) => void;
  readonly #shape: () => { width: number; height: number };
  readonly #keyed = new Keyed();
  readonly #canvas: HTMLCanvasElement;
  readonly #video: HTMLVideoElement;
  #shownSeq = -1;

  /**
   * @param onPlayed told how many more pictures of a video have been on the screen.
   * @param shape of the params: video of twice its height is stacked.
   */
  constructor(
    onPlayed: (pictures: number) => void,
    shape: () => { width: number; height: number },
    canvas = document.createElement("canvas"),
    video = document.createElement("video"),
  ) {
    this.#onPlayed = onPlayed;
    this.#shape = shape;
    this.#canvas = canvas;
    this.#video = video;
    this.view = signal<HTMLCanvasElement | HTMLVideoElement>(canvas);
    video.muted = true;
    video.playsInline = true;
    video.autoplay = true;
    video.addEventListener("loadeddata", () => this.#showVideo());
  }

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
      this.#draw(bitmap, bitmap.width, bitmap.height, (frame.flags & Flag.stacked) !== 0);
    }
    bitmap.close();
    return isNewest;
  }

  /** Shows live video from its first picture on; until then the last picture stays. */
  play(stream: MediaStream): void {
    this.#video.srcObject = stream;
    // Rejects when the connection ends before the first picture; that is no failure.
    void this.#video.play().catch(() => {});
  }

  /** The video ends: its last picture stays, as a still. */
  hold(): void {
    if (this.#video.srcObject === null) return;
    this.#copyVideo();
    this.view.value = this.#canvas;
    this.#video.srcObject = null;
  }

  /** The picture on the screen, as something to draw; null where there is none yet. */
  picture(): Picture | null {
    if (!this.hasPicture.peek()) return null;
    const isVideo = this.view.peek() === this.#video && this.#video.videoWidth > 0;
    const image = isVideo ? this.#video : this.#canvas;
    const width = isVideo ? this.#video.videoWidth : this.#canvas.width;
    const height = isVideo ? this.#video.videoHeight : this.#canvas.height;
    return { image, width, height, mirrored: false };
  }

  /** The picture on the screen as a PNG; null where there is none yet. */
  async snapshot(): Promise<Blob | null> {
    if (!this.hasPicture.peek()) return null;
    this.#copyVideo();
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
  }

  #showVideo(): void {
    const stream = this.#video.srcObject;
    if (stream === null) return;
    this.#showPicture();
    let presented = 0;
    const onPicture: Parameters<typeof onNextPicture>[1] = (_now, { presentedFrames } = { presentedFrames: presented + 1 }) => {
      if (this.#video.srcObject !== stream) return;
      this.#showPicture();
      // A busy page is called for some of them only; of those of a hidden one the browser knows nothing.
      this.#onPlayed(presented > 0 ? Math.max(1, presentedFrames - presented) : 1);
      presented = presentedFrames;
      onNextPicture(this.#video, onPicture);
    };
    onNextPicture(this.#video, onPicture);
  }

  /** The video's present picture: itself, or put together where it is stacked. */
  #showPicture(): void {
    const { videoWidth, videoHeight } = this.#video;
    const isKeyed = isStacked(videoWidth, videoHeight, this.#shape());
    if (isKeyed) this.#draw(this.#video, videoWidth, videoHeight, true);
    this.view.value = isKeyed ? this.#canvas : this.#video;
    this.hasPicture.value = true;
  }

  #copyVideo(): void {
    const { videoWidth, videoHeight } = this.#video;
    if (this.view.peek() === this.#video && videoWidth > 0) this.#draw(this.#video, videoWidth, videoHeight, false);
  }

  #draw(picture: ImageBitmap | HTMLVideoElement, width: number, height: number, isKeyed: boolean): void {
    const image = isKeyed ? this.#keyed.draw(picture, width, height) : picture;
    if (isKeyed) height /= 2;
    this.#canvas.classList.toggle("keyed", isKeyed);
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    const context = this.#canvas.getContext("2d");
    context?.clearRect(0, 0, width, height);
    context?.drawImage(image, 0, 0);
    this.hasPicture.value = true;
  }
}
