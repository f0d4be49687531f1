/** Turns pictures into JPEG bytes of the wanted size; the work itself is done by a worker. */

import type { Picture } from "../sources/source";
import type { EncodeReply, EncodeRequest } from "./encoder.worker";

/** Compresses one picture at a time: the sender never asks for a second one before it has the first. */
export type Encode = (picture: Picture, width: number, height: number) => Promise<Uint8Array>;

const JPEG_QUALITY = 0.85;

export function createEncoder(): Encode {
  const worker = new Worker(new URL("./encoder.worker.ts", import.meta.url), { type: "module" });
  return async ({ image, mirrored }, width, height) => {
    const bitmap = await createImageBitmap(image);
    const reply = await new Promise<EncodeReply>((resolve) => {
      worker.onmessage = (event: MessageEvent<EncodeReply>) => resolve(event.data);
      worker.onerror = (event) => resolve({ error: event.message });
      const request: EncodeRequest = { bitmap, width, height, mirrored, quality: JPEG_QUALITY };
      worker.postMessage(request, [bitmap]);
    });
    if ("error" in reply) throw new Error(reply.error);
    return new Uint8Array(reply.bytes);
  };
}
