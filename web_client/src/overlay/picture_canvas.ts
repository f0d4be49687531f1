/** A canvas that shows pictures as they come, with their transparency. */

import { Keyed } from "../browser/keyed";

export class PictureCanvas {
  readonly canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D | null;
  readonly #keyed = new Keyed();

  constructor(canvas = document.createElement("canvas")) {
    this.canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  readonly draw = (picture: ImageBitmap | HTMLVideoElement, isStacked: boolean): void => {
    const isVideo = picture instanceof HTMLVideoElement;
    const [width, height] = isVideo ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
    const shown = isStacked ? this.#keyed.draw(picture, width, height) : picture;
    const shownHeight = isStacked ? height / 2 : height;
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== shownHeight) this.canvas.height = shownHeight;
    this.clear();
    this.#context?.drawImage(shown, 0, 0);
  };

  readonly clear = (): void => {
    this.#context?.clearRect(0, 0, this.canvas.width, this.canvas.height);
  };
}
