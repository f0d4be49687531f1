/**
 * Drawings as OpenRaster files, which Krita, GIMP and MyPaint open layer by layer. Knows no canvas.
 * Source: the OpenRaster file layout and layer stack specifications, version 0.0.5.
 */

import { MAX_LAYERS } from "../layers";
import { unzip, zip, ZipError } from "./zip";

export interface OraLayer {
  readonly name: string;
  readonly isVisible: boolean;
  /** 0 to 1. */
  readonly opacity: number;
  /** Of its upper left corner, from the drawing's. */
  readonly x: number;
  readonly y: number;
  readonly png: Uint8Array<ArrayBuffer>;
}

export interface OraDrawing {
  readonly width: number;
  readonly height: number;
  /** The lowest first. */
  readonly layers: readonly OraLayer[];
}

const MIME = "image/openraster";
const FILE_MAX_BYTES = 256 * 1024 * 1024;

/**
 * @param merged what is seen of the drawing, as a PNG.
 * @param thumbnail the same, no side of it above 256 pixels.
 */
export function packOra({ width, height, layers }: OraDrawing, merged: Uint8Array, thumbnail: Uint8Array): Blob {
  const files = new Map<string, Uint8Array>([["mimetype", new TextEncoder().encode(MIME)]]);
  const lines = layers.map(({ name, isVisible, opacity, x, y, png }, index) => {
    const src = `data/layer${index}.png`;
    files.set(src, png);
    const visibility = isVisible ? "visible" : "hidden";
    return `  <layer name="${escaped(name)}" src="${src}" x="${x}" y="${y}" opacity="${opacity}" visibility="${visibility}" composite-op="svg:src-over"/>`;
  });
  const stack = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<image version="0.0.3" w="${width}" h="${height}">`,
    " <stack>",
    // In the file the topmost comes first.
    ...lines.reverse(),
    " </stack>",
    "</image>",
    "",
  ].join("\n");
  files.set("stack.xml", new TextEncoder().encode(stack));
  files.set("Thumbnails/thumbnail.png", thumbnail);
  files.set("mergedimage.png", merged);
  return new Blob([zip(files)], { type: MIME });
}

/**
 * The layers of a file, of groups too. Those that are too many lie in none of them.
 *
 * @throws ZipError where it is no OpenRaster file.
 */
export async function unpackOra(bytes: Uint8Array<ArrayBuffer>, parse: (xml: string) => Document): Promise<OraDrawing> {
  const files = await unzip(bytes, FILE_MAX_BYTES);
  const stack = files.get("stack.xml");
  if (!stack) throw new ZipError("it is no OpenRaster file");
  const image = parse(new TextDecoder().decode(stack)).documentElement;
  const number = (element: Element, name: string, otherwise: number) => {
    const value = Number.parseFloat(element.getAttribute(name) ?? "");
    return Number.isFinite(value) ? value : otherwise;
  };
  const [width, height] = [number(image, "w", 0), number(image, "h", 0)];
  const layers = [...image.querySelectorAll("layer")].flatMap((element) => {
    const png = files.get(element.getAttribute("src") ?? "");
    if (!png) return [];
    return {
      name: element.getAttribute("name") ?? "",
      isVisible: element.getAttribute("visibility") !== "hidden",
      opacity: Math.min(1, Math.max(0, number(element, "opacity", 1))),
      x: number(element, "x", 0),
      y: number(element, "y", 0),
      png,
    };
  });
  if (layers.length === 0 || !(width > 0 && height > 0)) throw new ZipError("it has no layers");
  return { width, height, layers: layers.slice(0, MAX_LAYERS).reverse() };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
