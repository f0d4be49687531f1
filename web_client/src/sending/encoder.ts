/** Turns pictures into bytes of the wanted size, JPEG where nothing is transparent; a worker does the work itself. */

import { Format, mimeTypes } from "../protocol";
import type { Picture } from "../sources/source";
import type { EncodeReply, EncodeRequest } from "./encoder.worker";

export interface Encoded {
  bytes: Uint8Array;
  format: Format;
}

/** Compresses one picture at a time: the sender never asks for a second one before it has the first. */
export type Encode = (picture: Picture, width: number, height: number) => Promise<Encoded>;

const QUALITY = 0.85;

const formats = [Format.jpeg, Format.png, Format.webp];

/** This browser can't compress pictures at all: to try again is no use. */
export class NoEncoder extends Error {}

export function createEncoder(): Encode {
  let worker: Worker | null = null;
  return async ({ image, mirrored, crop, isTransparent = false }, width, height) => {
    const running = (worker ??= start());
    const bitmap = await createImageBitmap(image);
    const reply = await new Promise<EncodeReply>((resolve) => {
      running.onmessage = (event: MessageEvent<EncodeReply>) => resolve(event.data);
      running.onerror = (event) => {
        // It did not load, say: the next picture gets another one.
        worker = null;
        resolve({ error: event.message || "the worker broke" });
      };
      const request: EncodeRequest = { bitmap, width, height, mirrored, crop, quality: QUALITY, isTransparent };
      running.postMessage(request, [bitmap]);
    });
    if ("error" in reply) throw new Error(reply.error);
    const { bytes, type } = reply;
    return { bytes: new Uint8Array(bytes), format: formats.find((format) => mimeTypes[format] === type) ?? Format.jpeg };
  };
}

function start(): Worker {
  if (!("OffscreenCanvas" in globalThis)) throw new NoEncoder("OffscreenCanvas is missing");
  try {
    return new Worker(new URL("./encoder.worker.ts", import.meta.url), { type: "module" });
  } catch (error) {
    throw new NoEncoder(String(error));
  }
}
