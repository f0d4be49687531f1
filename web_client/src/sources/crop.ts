/** Crops, scales and mirrors a picture to the size in which it is sent. Knows no source. */

import type { Picture } from "./source";

export interface Crop {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The largest centred rectangle of `width`×`height` that has the shape of `toWidth`×`toHeight`. */
export function centreCrop(width: number, height: number, toWidth: number, toHeight: number): Crop {
  const scale = Math.min(width / toWidth, height / toHeight);
  const [cropWidth, cropHeight] = [toWidth * scale, toHeight * scale];
  return { x: (width - cropWidth) / 2, y: (height - cropHeight) / 2, width: cropWidth, height: cropHeight };
}

/** What lies under a picture that is transparent somewhere: or else it would be the picture before. */
export const PAPER = "#fff";

/** Fills the context's canvas with the picture on paper, cropped, scaled and mirrored: what is sent on any transport. */
export function drawFitted(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  picture: Picture,
): void {
  const { width, height } = context.canvas;
  const crop = centreCrop(picture.width, picture.height, width, height);
  context.imageSmoothingQuality = "medium";
  context.setTransform(picture.mirrored ? -1 : 1, 0, 0, 1, picture.mirrored ? width : 0, 0);
  context.fillStyle = PAPER;
  context.fillRect(0, 0, width, height);
  context.drawImage(picture.image, crop.x, crop.y, crop.width, crop.height, 0, 0, width, height);
}

/** The picture as it is sent, as a JPEG. */
export async function fittedJpeg(picture: Picture, width: number, height: number): Promise<Uint8Array> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("this browser has no 2D canvas");
  drawFitted(context, picture);
  return new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
}
