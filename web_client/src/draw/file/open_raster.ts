/** A drawing to an OpenRaster file and back: layers to PNGs. Loaded when it is wanted. */

import type { Drawing } from "../drawing";
import type { Layer } from "../layers";
import { packOra, unpackOra, type OraLayer } from "./ora";

const THUMBNAIL_PX = 256;

/** @param nameOf what a layer is called. */
export async function toOra(drawing: Drawing, nameOf: (layer: Layer) => string): Promise<Blob> {
  const { canvas, sheetBox } = drawing;
  const { width, height } = canvas;
  const layers: OraLayer[] = [];
  for (const layer of drawing.layers.peek().stack) {
    const png = await drawing.png(layer.id);
    if (!png) continue;
    const { isVisible, opacity } = layer;
    const [x, y] = [sheetBox.left + width / 2, sheetBox.top + height / 2];
    layers.push({ name: nameOf(layer), isVisible, opacity, x, y, png: await bytesOf(png) });
  }
  const scale = Math.min(1, THUMBNAIL_PX / Math.max(width, height));
  return packOra({ width, height, layers }, await pngOf(canvas, 1), await pngOf(canvas, scale));
}

/** Puts a file's layers in the place of the drawing's. Rejects where it can't be read. */
export async function openOra(drawing: Drawing, file: Blob): Promise<void> {
  const parse = (xml: string) => new DOMParser().parseFromString(xml, "text/xml");
  const { width, height, layers } = await unpackOra(await bytesOf(file), parse);
  const { canvas } = drawing;
  const scale = Math.max(canvas.width / width, canvas.height / height);
  const placed = layers.map(async ({ png, x, y, isVisible, opacity }) => {
    const image = await createImageBitmap(new Blob([png], { type: "image/png" }));
    const shift = { dx: scale * (x + (image.width - width) / 2), dy: scale * (y + (image.height - height) / 2), scale: 1 };
    return { image, width: scale * image.width, height: scale * image.height, shift, isVisible, opacity };
  });
  drawing.replace(await Promise.all(placed));
}

async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer());
}

async function pngOf(canvas: HTMLCanvasElement, scale: number): Promise<Uint8Array<ArrayBuffer>> {
  const [width, height] = [canvas.width, canvas.height].map((side) => Math.max(1, Math.round(scale * side)));
  const copy = new OffscreenCanvas(width ?? 1, height ?? 1);
  copy.getContext("2d")?.drawImage(canvas, 0, 0, copy.width, copy.height);
  return bytesOf(await copy.convertToBlob({ type: "image/png" }));
}
