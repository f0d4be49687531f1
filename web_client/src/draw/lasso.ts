/** A part of the active layer that is outlined, and then moved. Knows no pointer. */

import type { Signal } from "@preact/signals";
import type { Drawing, Part } from "./drawing";
import { boxAround, type Point } from "./geometry";
import type { Mark } from "./marks";
import type { PenPoint } from "./stroke";

export type Outline = readonly Point[];

/** Of a side of what is outlined: less was a slip, and chooses nothing. */
const LEAST_PX = 4;

/** Draws the outline of what is chosen. */
export class OutlineMark implements Mark {
  readonly #selection: Signal<Outline | null>;

  constructor(selection: Signal<Outline | null>) {
    this.#selection = selection;
    selection.value = [];
  }

  move(points: readonly PenPoint[]): void {
    this.#selection.value = [...(this.#selection.peek() ?? []), ...points];
  }

  end(): void {
    if (!isWorthy(this.#selection.peek() ?? [])) this.cancel();
  }

  cancel(): void {
    this.#selection.value = null;
  }
}

/** Moves what is chosen, and its outline with it. */
export class PartMark implements Mark {
  readonly #drawing: Drawing;
  readonly #selection: Signal<Outline | null>;
  readonly #outline: Outline;
  readonly #part: Part;
  #from: Point | null = null;
  #by: Point | null = null;

  constructor(drawing: Drawing, selection: Signal<Outline | null>, outline: Outline) {
    this.#drawing = drawing;
    this.#selection = selection;
    this.#outline = outline;
    this.#part = drawing.lift(outline);
  }

  move(points: readonly PenPoint[]): void {
    const point = points.at(-1);
    if (!point) return;
    this.#from ??= point;
    // Whole pixels: nothing gets softer by being moved.
    const by = { x: Math.round(point.x - this.#from.x), y: Math.round(point.y - this.#from.y) };
    if (by.x === 0 && by.y === 0 && !this.#by) return;
    this.#by = by;
    this.#selection.value = this.#outline.map(({ x, y }) => ({ x: x + by.x, y: y + by.y }));
    this.#drawing.previewPart(this.#part, by);
  }

  end(): void {
    if (this.#by) this.#drawing.commitPart(this.#part, this.#by);
  }

  cancel(): void {
    this.#selection.value = this.#outline;
    this.#drawing.refresh();
  }
}

/** Whether a point is inside of an outline, by how often a ray to the right crosses it. */
export function isInside(outline: Outline, { x, y }: Point): boolean {
  let isIn = false;
  outline.forEach((a, index) => {
    const b = outline[(index + 1) % outline.length] as Point;
    if (a.y > y !== b.y > y && x < a.x + ((y - a.y) * (b.x - a.x)) / (b.y - a.y)) isIn = !isIn;
  });
  return isIn;
}

function isWorthy(outline: Outline): boolean {
  if (outline.length < 3) return false;
  const { left, top, right, bottom } = boxAround(outline, 0);
  return right - left >= LEAST_PX && bottom - top >= LEAST_PX;
}
