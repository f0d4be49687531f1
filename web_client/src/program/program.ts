/** Draws what is on air onto canvases: those of a second screen, a recording, a picture in picture. */

import { cropOf, PAPER } from "../sources/crop";
import type { Picture } from "../sources/source";
import type { ProgramLayer } from "./mix";

export interface ProgramOptions {
  layers: () => readonly ProgramLayer[];
  input: () => Picture | null;
  output: () => Picture | null;
  /** Width and height of what is drawn, in pixels. */
  size: () => { width: number; height: number };
}

/** A canvas that follows the program, and who wants to know that it was drawn. */
export interface Target {
  canvas: HTMLCanvasElement;
  /** Lies the input beside the program: for recordings of both. */
  isBeside?: boolean;
  onDrawn?: () => void;
}

export class Program {
  readonly #options: ProgramOptions;
  readonly #targets = new Set<Target>();

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  /** Begins to draw on a target; the returned function ends it. */
  add(target: Target): () => void {
    this.#targets.add(target);
    this.#draw(target);
    return () => this.#targets.delete(target);
  }

  /** A picture or the mix has changed. Drawn at once, not with the screen: a hidden page feeds its second screen too. */
  changed(what: ProgramLayer["what"] | "mix"): void {
    if (this.#targets.size === 0) return;
    const isUsed = what === "mix" || this.#options.layers().some((layer) => layer.what === what);
    for (const target of this.#targets) if (isUsed || (what === "input" && target.isBeside)) this.#draw(target);
  }

  #draw({ canvas, isBeside = false, onDrawn }: Target): void {
    const { width, height } = this.#options.size();
    const whole_px = isBeside ? 2 * width : width;
    if (canvas.width !== whole_px) canvas.width = whole_px;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser has no 2D canvas");
    context.fillStyle = "#000";
    context.fillRect(0, 0, whole_px, height);
    if (isBeside) this.#drawLayer(context, { what: "input", opacity: 1, from: 0 }, 0);
    for (const layer of this.#options.layers()) this.#drawLayer(context, layer, whole_px - width);
    onDrawn?.();
  }

  #drawLayer(context: CanvasRenderingContext2D, { what, opacity, from }: ProgramLayer, left_px: number): void {
    const picture = this.#options[what]();
    if (!picture) return;
    const { width, height } = this.#options.size();
    context.save();
    context.beginPath();
    context.rect(left_px + from * width, 0, (1 - from) * width, height);
    context.clip();
    context.globalAlpha = opacity;
    const crop = cropOf(picture, width, height);
    context.setTransform(picture.mirrored ? -1 : 1, 0, 0, 1, left_px + (picture.mirrored ? width : 0), 0);
    if (what === "input") {
      context.fillStyle = PAPER;
      context.fillRect(0, 0, width, height);
    }
    context.drawImage(picture.image, crop.x, crop.y, crop.width, crop.height, 0, 0, width, height);
    context.restore();
  }
}
