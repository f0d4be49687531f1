/** A canvas with its origin at the centre. Knows neither layers nor tools. */

import type { Box, Point, Shift } from "./geometry";
import { boxOfTile, firstOther, onlyPixel, TILE_PX } from "./tiles";

/** A tile's pixels; of a tile of one colour only that pixel. */
export type Tile = ImageData | number;
export const BLANK = 0;

/**
 * What a layer shows, and where. Moving and scaling begin with it each time: nothing gets softer by being made small and
 * large again, and what was moved out of the sheet comes back.
 */
export interface Original {
  readonly image: CanvasImageSource;
  /** Its size on the sheet where the shift's scale is 1. */
  readonly width: number;
  readonly height: number;
  readonly shift: Shift;
}

export class Surface {
  readonly canvas = document.createElement("canvas");
  #context: CanvasRenderingContext2D;
  readonly #settings: CanvasRenderingContext2DSettings;

  /**
   * Its pixels are kept where the processor reads them: undo, fill and the frames that are sent need them there, and a
   * graphics card would have to give them back each time.
   */
  constructor(width: number, height: number, settings: CanvasRenderingContext2DSettings = {}) {
    this.#settings = { willReadFrequently: true, ...settings };
    this.#context = this.resize(width, height);
  }

  /** Empties it. */
  resize(width: number, height: number): CanvasRenderingContext2D {
    this.canvas.width = width;
    this.canvas.height = height;
    const context = this.canvas.getContext("2d", this.#settings);
    if (!context) throw new Error("this browser has no 2D canvas");
    context.translate(width / 2, height / 2);
    this.#context = context;
    return context;
  }

  get box(): Box {
    const { width, height } = this.canvas;
    return { left: -width / 2, top: -height / 2, right: width / 2, bottom: height / 2 };
  }

  clear({ left, top, right, bottom }: Box): void {
    this.#context.clearRect(left, top, right - left, bottom - top);
  }

  fillBox({ left, top, right, bottom }: Box, colour: string): void {
    this.#context.fillStyle = colour;
    this.#context.fillRect(left, top, right - left, bottom - top);
  }

  fill(path: Path2D, colour: string): void {
    this.#context.fillStyle = colour;
    this.#context.fill(path);
  }

  stroke(path: Path2D, colour: string, width: number): void {
    this.#context.strokeStyle = colour;
    this.#context.lineWidth = width;
    this.#context.lineCap = this.#context.lineJoin = "round";
    this.#context.stroke(path);
  }

  /** Draws an image about a point, as wide and as high. */
  stamp(image: CanvasImageSource, { x, y }: Point, side: number): void {
    this.#context.drawImage(image, x - side / 2, y - side / 2, side, side);
  }

  /** Puts a part of another surface here, at the same distance from the centre. The part must be inside both. */
  blit(from: Surface, box: Box, opacity = 1, operation: GlobalCompositeOperation = "source-over"): void {
    const { left, top } = box;
    const [width, height] = [box.right - box.left, box.bottom - box.top];
    const { width: fromWidth, height: fromHeight } = from.canvas;
    const context = this.#context;
    context.globalAlpha = opacity;
    context.globalCompositeOperation = operation;
    context.drawImage(from.canvas, left + fromWidth / 2, top + fromHeight / 2, width, height, left, top, width, height);
    context.globalAlpha = 1;
    context.globalCompositeOperation = "source-over";
  }

  /** Keeps what is inside of a path (destination-in), or outside of it (destination-out). */
  cut(path: Path2D, operation: "destination-in" | "destination-out"): void {
    this.#context.globalCompositeOperation = operation;
    this.fill(path, "#000");
    this.#context.globalCompositeOperation = "source-over";
  }

  /** Draws an original where it belongs; what sticks out is cut off. */
  lay({ image, width, height, shift: { dx, dy, scale } }: Original): void {
    this.#context.imageSmoothingQuality = "high";
    this.#context.drawImage(image, dx - (width * scale) / 2, dy - (height * scale) / 2, width * scale, height * scale);
  }

  read({ left, top, right, bottom }: Box): ImageData {
    const { width, height } = this.canvas;
    return this.#context.getImageData(left + width / 2, top + height / 2, right - left, bottom - top);
  }

  /** A point in a box that has another pixel; null where all are this one. Reads no more than it needs. */
  find(box: Box, pixel: number): Point | null {
    for (let top = box.top; top < box.bottom; top += TILE_PX) {
      const { data, width } = this.read({ ...box, top, bottom: Math.min(box.bottom, top + TILE_PX) });
      const index = firstOther(data, pixel);
      if (index >= 0) return { x: box.left + (index % width), y: top + Math.floor(index / width) };
    }
    return null;
  }

  write(pixels: ImageData, { left, top }: Pick<Box, "left" | "top">): void {
    const { width, height } = this.canvas;
    this.#context.putImageData(pixels, left + width / 2, top + height / 2);
  }

  readTile(tile: number): Tile {
    const pixels = this.read(boxOfTile(tile));
    return onlyPixel(pixels.data) ?? pixels;
  }

  writeTile(tile: number, content: Tile): void {
    const pixels = typeof content === "number" ? new ImageData(TILE_PX, TILE_PX) : content;
    if (typeof content === "number") new Uint32Array(pixels.data.buffer).fill(content);
    this.write(pixels, boxOfTile(tile));
  }
}

/** From corner to corner. */
export function polygonOf(points: readonly Point[]): Path2D {
  const path = new Path2D();
  for (const { x, y } of points) path.lineTo(x, y);
  path.closePath();
  return path;
}
