/** Crops, scales and mirrors a picture to the size in which it is sent. Knows no source. */

import type { CropPlace, Picture } from "./source";

export const CENTRE: CropPlace = { x: 0.5, y: 0.5 };
/** Of pictures on end: people's faces are in their upper half. */
export const UPPER: CropPlace = { x: 0.5, y: 0.25 };

export interface Crop {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The largest rectangle of a picture that has the shape of `toWidth`×`toHeight`, at the picture's place. */
export function cropOf(picture: Pick<Picture, "width" | "height" | "crop">, toWidth: number, toHeight: number): Crop {
  const { width, height, crop = CENTRE } = picture;
  const scale = Math.min(width / toWidth, height / toHeight);
  const [cropWidth, cropHeight] = [toWidth * scale, toHeight * scale];
  const [x, y] = [(width - cropWidth) * crop.x, (height - cropHeight) * crop.y];
  return { x, y, width: cropWidth, height: cropHeight };
}

/** What lies under a picture that is transparent somewhere: or else it would be the picture before. */
export const PAPER = "#fff";

/**
 * Fills the context's canvas with the picture, cropped, scaled and mirrored: what is sent on any transport.
 * @param paper what lies under it; null: nothing.
 */
export function drawFitted(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  picture: Picture,
  paper: string | null = PAPER,
): void {
  const { width, height } = context.canvas;
  context.clearRect(0, 0, width, height);
  if (paper !== null) {
    context.fillStyle = paper;
    context.fillRect(0, 0, width, height);
  }
  drawCropped(context, picture);
}

/** Draws the picture over all of the context's canvas, cropped, scaled and mirrored, as the context composes. */
export function drawCropped(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  picture: Picture,
): void {
  const { width, height } = context.canvas;
  const crop = cropOf(picture, width, height);
  context.imageSmoothingQuality = "medium";
  context.setTransform(picture.mirrored ? -1 : 1, 0, 0, 1, picture.mirrored ? width : 0, 0);
  context.drawImage(picture.image, crop.x, crop.y, crop.width, crop.height, 0, 0, width, height);
  context.setTransform(1, 0, 0, 1, 0, 0);
}

/** The picture as it is sent, as a JPEG. */
export async function fittedJpeg(picture: Picture, width: number, height: number): Promise<Uint8Array> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("this browser has no 2D canvas");
  drawFitted(context, picture);
  return new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
}

/** Reads a place; null where it is none. */
export function readPlace(value: unknown): CropPlace | null {
  const { x, y } = (value ?? {}) as Partial<Record<"x" | "y", unknown>>;
  const isShare = (share: unknown): share is number => typeof share === "number" && share >= 0 && share <= 1;
  return isShare(x) && isShare(y) ? { x, y } : null;
}
