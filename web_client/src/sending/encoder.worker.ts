/** Crops, scales and compresses one picture at a time, away from the page's own thread. */

import { drawFitted } from "../sources/crop";

export interface EncodeRequest {
  bitmap: ImageBitmap;
  width: number;
  height: number;
  mirrored: boolean;
  quality: number;
}

export type EncodeReply = { bytes: ArrayBuffer } | { error: string };

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<EncodeRequest>) => void) | null;
  postMessage(reply: EncodeReply, transfer: Transferable[]): void;
};

let canvas: OffscreenCanvas | null = null;

scope.onmessage = async ({ data }) => {
  try {
    const bytes = await encode(data);
    scope.postMessage({ bytes }, [bytes]);
  } catch (error) {
    scope.postMessage({ error: String(error) }, []);
  }
};

async function encode({ bitmap, width, height, mirrored, quality }: EncodeRequest): Promise<ArrayBuffer> {
  if (canvas?.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("no 2D context");
  drawFitted(context, { image: bitmap, width: bitmap.width, height: bitmap.height, mirrored });
  bitmap.close();
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
  return blob.arrayBuffer();
}
