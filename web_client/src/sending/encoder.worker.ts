/** Crops, scales and compresses one picture at a time, away from the page's own thread. */

import { drawFitted, PAPER } from "../sources/crop";
import type { CropPlace } from "../sources/source";

export interface EncodeRequest {
  bitmap: ImageBitmap;
  width: number;
  height: number;
  mirrored: boolean;
  crop: CropPlace | undefined;
  quality: number;
  /** Whether transparency is kept: in WebP, or in PNG where the browser writes no WebP. */
  isTransparent: boolean;
}

export type EncodeReply = { bytes: ArrayBuffer; type: string } | { error: string };

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<EncodeRequest>) => void) | null;
  postMessage(reply: EncodeReply, transfer: Transferable[]): void;
};

let canvas: OffscreenCanvas | null = null;
let isClear = false;

scope.onmessage = async ({ data }) => {
  try {
    const blob = await encode(data);
    const bytes = await blob.arrayBuffer();
    scope.postMessage({ bytes, type: blob.type }, [bytes]);
  } catch (error) {
    scope.postMessage({ error: String(error) }, []);
  }
};

async function encode({ bitmap, width, height, mirrored, crop, quality, isTransparent }: EncodeRequest): Promise<Blob> {
  // A canvas has transparency for life, or has none.
  if (canvas?.width !== width || canvas.height !== height || isClear !== isTransparent) {
    canvas = new OffscreenCanvas(width, height);
    isClear = isTransparent;
  }
  const context = canvas.getContext("2d", { alpha: isTransparent });
  if (!context) throw new Error("no 2D context");
  const picture = { image: bitmap, width: bitmap.width, height: bitmap.height, mirrored, crop };
  drawFitted(context, picture, isTransparent ? null : PAPER);
  bitmap.close();
  return canvas.convertToBlob({ type: isTransparent ? "image/webp" : "image/jpeg", quality });
}
