/** The grid of small squares by which a sheet remembers what it was: a thin stroke keeps no whole picture. Pure. */

import type { Box } from "./geometry";

export const TILE_PX = 64;
export const TILE_BYTES = TILE_PX * TILE_PX * 4;
/** More columns than any sheet has, so that a tile's place fits in one number. */
const COLUMNS = 1024;

/** The length of a sheet that shows `length_px`: whole tiles on both sides of its centre. */
export function wholeTiles(length_px: number): number {
  return Math.ceil(length_px / 2 / TILE_PX) * 2 * TILE_PX;
}

/** The tiles that a box touches, by number. Tiles are counted from the centre, so a sheet that grows keeps them. */
export function tilesIn(box: Box): number[] {
  const tiles: number[] = [];
  const [firstX, lastX] = [Math.floor(box.left / TILE_PX), Math.ceil(box.right / TILE_PX)];
  const [firstY, lastY] = [Math.floor(box.top / TILE_PX), Math.ceil(box.bottom / TILE_PX)];
  for (let y = firstY; y < lastY; y++) {
    for (let x = firstX; x < lastX; x++) tiles.push((y + COLUMNS / 2) * COLUMNS + x + COLUMNS / 2);
  }
  return tiles;
}

export function boxOfTile(tile: number): Box {
  const left = ((tile % COLUMNS) - COLUMNS / 2) * TILE_PX;
  const top = (Math.floor(tile / COLUMNS) - COLUMNS / 2) * TILE_PX;
  return { left, top, right: left + TILE_PX, bottom: top + TILE_PX };
}

/** The index of the first pixel that is another one; -1 where none is. */
export function firstOther(pixels: Uint8ClampedArray, pixel: number): number {
  const all = new Uint32Array(pixels.buffer, pixels.byteOffset, pixels.byteLength / 4);
  return all.findIndex((each) => each !== pixel);
}

/** The one pixel that all of these are; null where they differ. */
export function onlyPixel(pixels: Uint8ClampedArray): number | null {
  const all = new Uint32Array(pixels.buffer, pixels.byteOffset, pixels.byteLength / 4);
  const [first = 0] = all;
  return all.every((pixel) => pixel === first) ? first : null;
}
