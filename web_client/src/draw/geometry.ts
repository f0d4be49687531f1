/** Points, boxes and shapes on the sheet, in its pixels from the picture's centre. Pure. */

/** The sheet's shorter side: larger than what is sent, so that a 256-pixel picture still feels like paper. */
export const SHORTER_SIDE_PX = 1024;

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle of whole pixels; right and bottom are just outside. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A layer put elsewhere: scaled about the picture's centre, then moved. */
export interface Shift {
  readonly dx: number;
  readonly dy: number;
  readonly scale: number;
}

export const UNMOVED: Shift = { dx: 0, dy: 0, scale: 1 };

export type ShapeKind = "line" | "rectangle" | "ellipse" | "polygon" | "star";

/** Width and height of the sheet's visible part for a picture's shape. Even, so that the centre lies between pixels. */
export function sheetSize(width: number, height: number): { width: number; height: number } {
  const scale = SHORTER_SIDE_PX / Math.min(width, height);
  const even = (length: number) => Math.round((length * scale) / 2) * 2;
  return { width: even(width), height: even(height) };
}

export function centredBox(width: number, height: number): Box {
  return { left: -width / 2, top: -height / 2, right: width / 2, bottom: height / 2 };
}

/** The smallest box around all points, `margin` wider on each side. */
export function boxAround(points: readonly Point[], margin: number): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y } of points) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  return {
    left: Math.floor(left - margin),
    top: Math.floor(top - margin),
    right: Math.ceil(right + margin),
    bottom: Math.ceil(bottom + margin),
  };
}

export function union(a: Box | null, b: Box): Box {
  if (!a) return b;
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

/** The part of a box inside another; null where they don't meet. */
export function clip(box: Box, within: Box): Box | null {
  const clipped = {
    left: Math.max(box.left, within.left),
    top: Math.max(box.top, within.top),
    right: Math.min(box.right, within.right),
    bottom: Math.min(box.bottom, within.bottom),
  };
  return clipped.left < clipped.right && clipped.top < clipped.bottom ? clipped : null;
}

/** Doubles, or halves, over half of the shorter side. */
const DOUBLING_PX = SHORTER_SIDE_PX / 2;

/** @param scales whether the way up and down makes larger and smaller, in place of moving. */
export function shiftBetween(from: Point, to: Point, scales: boolean): Shift {
  if (scales) return { dx: 0, dy: 0, scale: 2 ** ((from.y - to.y) / DOUBLING_PX) };
  // Whole pixels: nothing gets softer by being moved.
  return { dx: Math.round(to.x - from.x), dy: Math.round(to.y - from.y), scale: 1 };
}

/** One movement after another. */
export function shiftedOn(before: Shift, { dx, dy, scale }: Shift): Shift {
  return { dx: before.dx * scale + dx, dy: before.dy * scale + dy, scale: before.scale * scale };
}

const EIGHTH_TURN = Math.PI / 4;

/** The end of a shape that is held regular: lines turn in eighths, the others are as wide as high. */
export function regular(kind: ShapeKind, from: Point, to: Point): Point {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  if (kind === "line") {
    const angle = Math.round(Math.atan2(dy, dx) / EIGHTH_TURN) * EIGHTH_TURN;
    const length = dx * Math.cos(angle) + dy * Math.sin(angle);
    return { x: from.x + length * Math.cos(angle), y: from.y + length * Math.sin(angle) };
  }
  const side = Math.max(Math.abs(dx), Math.abs(dy));
  return { x: from.x + side * (dx < 0 ? -1 : 1), y: from.y + side * (dy < 0 ? -1 : 1) };
}
