/** Flood fill: finds the pixels connected to one by their colour. Pure. */

import type { Box } from "./geometry";

export interface Flooded {
  /** 1 where it is filled, row by row over the whole picture. */
  readonly mask: Uint8Array;
  readonly box: Box;
}

/**
 * Fills from a seed over all neighbours whose colour is near the seed's, run by run.
 *
 * @param pixels RGBA, one number a pixel, in rows of `width`.
 * @param tolerance how far each of red, green, blue and alpha may be from the seed's: 0 to 255.
 */
export function flood(
  pixels: Uint32Array,
  width: number,
  seedX: number,
  seedY: number,
  tolerance: number,
): Flooded {
  const mask = new Uint8Array(pixels.length);
  const seed = pixels[seedY * width + seedX] ?? 0;
  const isNear = (index: number) => mask[index] === 0 && isSimilar(pixels[index] as number, seed, tolerance);
  let [left, top, right, bottom] = [seedX, seedY, seedX, seedY];
  const waiting = [seedY * width + seedX];
  for (let start = waiting.pop(); start !== undefined; start = waiting.pop()) {
    if (!isNear(start)) continue;
    const rowStart = start - (start % width);
    let first = start;
    let last = start;
    while (first > rowStart && isNear(first - 1)) first--;
    while (last < rowStart + width - 1 && isNear(last + 1)) last++;
    mask.fill(1, first, last + 1);
    const y = rowStart / width;
    left = Math.min(left, first - rowStart);
    right = Math.max(right, last - rowStart);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
    // One seed for each run of the rows above and below.
    for (const row of [-width, width]) {
      if (rowStart + row < 0 || rowStart + row >= pixels.length) continue;
      let isInRun = false;
      for (let index = first + row; index <= last + row; index++) {
        const near = isNear(index);
        if (near && !isInRun) waiting.push(index);
        isInRun = near;
      }
    }
  }
  return { mask, box: { left, top, right: right + 1, bottom: bottom + 1 } };
}

/** One pixel wider on all sides: the soft rim of a stroke, which is no colour of its own, is not left white. */
export function widen({ mask, box }: Flooded, width: number, height: number): Flooded {
  const wider = mask.slice();
  for (let y = box.top; y < box.bottom; y++) {
    for (let x = box.left; x < box.right; x++) {
      const index = y * width + x;
      if (mask[index] === 0) continue;
      if (x > 0) wider[index - 1] = 1;
      if (x < width - 1) wider[index + 1] = 1;
      if (y > 0) wider[index - width] = 1;
      if (y < height - 1) wider[index + width] = 1;
    }
  }
  return {
    mask: wider,
    box: {
      left: Math.max(0, box.left - 1),
      top: Math.max(0, box.top - 1),
      right: Math.min(width, box.right + 1),
      bottom: Math.min(height, box.bottom + 1),
    },
  };
}

function isSimilar(a: number, b: number, tolerance: number): boolean {
  if (a === b) return true;
  for (let bits = 0; bits < 32; bits += 8) {
    if (Math.abs(((a >>> bits) & 255) - ((b >>> bits) & 255)) > tolerance) return false;
  }
  return true;
}
