/** The recipe inside a PNG: written and read as the server's snapshots have it. Pure. */

import { crc32 } from "../browser/crc32";
import { type Look, readLook } from "../looks/look";
import type { Params } from "../protocol";

const KEYWORD = "realtime";
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const IEND_BYTES = 12;

export interface Recipe {
  model: string;
  params: Params;
  seq: number;
}

/** The PNG with an iTXt chunk before its end. Source: PNG specification, sections 5.3 and 11.3.3.4. */
export function withRecipe(png: Uint8Array, recipe: Recipe): Uint8Array<ArrayBuffer> {
  const utf8 = new TextEncoder();
  // The keyword, then: not compressed, no language, no translated keyword.
  const body = utf8.encode(`iTXt${KEYWORD}\0\0\0\0\0${JSON.stringify(recipe)}`);
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(body.length + 4, crc32(body));
  const whole = new Uint8Array(png.length + chunk.length);
  whole.set(png.subarray(0, -IEND_BYTES));
  whole.set(chunk, png.length - IEND_BYTES);
  whole.set(png.subarray(-IEND_BYTES), whole.length - IEND_BYTES);
  return whole;
}

/** The look of a picture's recipe; null where the file is no PNG or holds none. */
export function lookIn(png: Uint8Array): Look | null {
  const text = recipeText(png);
  try {
    return text === null ? null : readLook((JSON.parse(text) as { params?: unknown } | null)?.params);
  } catch {
    return null;
  }
}

function recipeText(png: Uint8Array): string | null {
  if (!SIGNATURE.every((byte, index) => png[index] === byte)) return null;
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const latin = new TextDecoder("latin1");
  for (let at = 8; at + IEND_BYTES <= png.length;) {
    const length = view.getUint32(at);
    const data = png.subarray(at + 8, at + 8 + length);
    const begin = `${KEYWORD}\0\0\0\0\0`;
    const isOurs = latin.decode(png.subarray(at + 4, at + 8)) === "iTXt";
    if (isOurs && latin.decode(data.subarray(0, begin.length)) === begin)
      return new TextDecoder().decode(data.subarray(begin.length));
    at += length + IEND_BYTES;
  }
  return null;
}
