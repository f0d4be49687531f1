/** Compresses pictures on the page itself: a worker can't be loaded from another host. */

import { Format } from "../protocol";
import type { Encode } from "../sending/encoder";
import { drawFitted } from "../sources/crop";

const QUALITY = 0.85;

export const encodeHere: Encode = async (picture, width, height) => {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("this browser has no 2D canvas");
  drawFitted(context, picture);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return { bytes: new Uint8Array(await blob.arrayBuffer()), format: Format.jpeg };
};
