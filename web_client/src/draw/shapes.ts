/** The marks of tools that span a shape between two points. Knows no pointer. */

import type { Drawing } from "./drawing";
import { type Box, boxAround, type Point, regular, type ShapeKind, union } from "./geometry";
import type { Brush, Mark, Scratch } from "./marks";
import type { PenPoint } from "./stroke";
import type { Surface } from "./surface";
import { type Turn, turnedBox } from "./symmetry";

/** Of a star's inner corners, in radiuses of its outer ones. */
const INNER_RADIUS = 0.45;

export interface ShapeForm {
  readonly kind: ShapeKind;
  readonly isFilled: boolean;
  /** Of polygons, and the points of stars. */
  readonly corners: number;
}

export class ShapeMark implements Mark {
  readonly #drawing: Drawing;
  readonly #whole: Surface;
  readonly #brush: Brush;
  readonly #form: ShapeForm;
  readonly #isFilled: boolean;
  #from: Point | null = null;
  #boxes: readonly Box[] = [];

  constructor(drawing: Drawing, { whole }: Scratch, brush: Brush, form: ShapeForm) {
    this.#drawing = drawing;
    this.#whole = whole;
    this.#brush = brush;
    this.#form = form;
    this.#isFilled = form.isFilled && form.kind !== "line";
  }

  move(points: readonly PenPoint[], isRegular: boolean): void {
    const point = points.at(-1);
    if (!point) return;
    this.#from ??= point;
    const to = isRegular ? regular(this.#form.kind, this.#from, point) : point;
    const before = this.#boxes;
    this.#wipe();
    const box = boxAround([this.#from, to], this.#isFilled ? 2 : this.#brush.size_px / 2 + 2);
    this.#boxes = this.#brush.copies.map((turn) => turnedBox(box, turn));
    const path = shapePath(this.#form, this.#from, to);
    for (const turn of this.#brush.copies) this.#paint(turnedPath(path, turn));
    this.#drawing.preview(
      this.#whole,
      this.#brush.ink,
      this.#boxes.map((after, index) => union(before[index] ?? null, after)),
    );
  }

  end(): void {
    if (this.#boxes.length > 0) this.#drawing.commit(this.#whole, this.#brush.ink, this.#boxes);
    this.#wipe();
  }

  cancel(): void {
    this.#wipe();
    this.#drawing.refresh();
  }

  #paint(path: Path2D): void {
    if (this.#isFilled) this.#whole.fill(path, this.#brush.colour);
    else this.#whole.stroke(path, this.#brush.colour, this.#brush.size_px);
  }

  #wipe(): void {
    for (const box of this.#boxes) this.#whole.clear(box);
  }
}

function turnedPath(path: Path2D, turn: Turn): Path2D {
  const copy = new Path2D();
  copy.addPath(path, new DOMMatrix([...turn, 0, 0]));
  return copy;
}

function shapePath(form: ShapeForm, from: Point, to: Point): Path2D {
  const path = new Path2D();
  const [width, height] = [to.x - from.x, to.y - from.y];
  if (form.kind === "line") {
    path.moveTo(from.x, from.y);
    path.lineTo(to.x, to.y);
  } else if (form.kind === "rectangle") path.rect(from.x, from.y, width, height);
  else if (form.kind === "ellipse") {
    const [radiusX, radiusY] = [Math.abs(width) / 2, Math.abs(height) / 2];
    path.ellipse(from.x + width / 2, from.y + height / 2, radiusX, radiusY, 0, 0, 2 * Math.PI);
  } else {
    for (const { x, y } of cornersOf(form, from, to)) path.lineTo(x, y);
    path.closePath();
  }
  return path;
}

/** The corners of a polygon or star on the ellipse that a drag spans; the first is at the top. */
export function cornersOf({ kind, corners }: ShapeForm, from: Point, to: Point): Point[] {
  const centre = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  const [radiusX, radiusY] = [Math.abs(to.x - from.x) / 2, Math.abs(to.y - from.y) / 2];
  const count = kind === "star" ? 2 * corners : corners;
  return Array.from({ length: count }, (_, index) => {
    const angle = (2 * Math.PI * index) / count - Math.PI / 2;
    const share = kind === "star" && index % 2 === 1 ? INNER_RADIUS : 1;
    return { x: centre.x + share * radiusX * Math.cos(angle), y: centre.y + share * radiusY * Math.sin(angle) };
  });
}
