/** A stroke with a soft rim: dabs of one shape, so close that they run into each other. Knows no pointer. */

import type { Drawing } from "./drawing";
import { type Box, boxAround, type Point, union } from "./geometry";
import type { Brush, Mark, Scratch } from "./marks";
import type { PenPoint } from "./stroke";
import type { Surface } from "./surface";
import { turned } from "./symmetry";

/** From one dab to the next, in diameters. */
const SPACING = 0.08;
const LEAST_SPACING_PX = 0.5;
/** Of a hard dab and of a soft one: a dozen of them lie over each other, and make the middle of a stroke opaque. */
const [HARD_OPACITY, SOFT_OPACITY] = [0.28, 0.6];
/** By pressure, as a stroke with a hard rim has it: see `Stroke`. */
const THINNEST = 0.4;
const THICKENING = 1.2;

export class SoftMark implements Mark {
  readonly #drawing: Drawing;
  readonly #whole: Surface;
  readonly #brush: Brush;
  readonly #dab: HTMLCanvasElement;
  readonly #boxes: Box[] = [];
  #last: PenPoint | null = null;
  /** Of the way to the next dab, what is left. */
  #left_px = 0;

  constructor(drawing: Drawing, { whole }: Scratch, brush: Brush) {
    this.#drawing = drawing;
    this.#whole = whole;
    this.#brush = brush;
    this.#dab = dabOf(brush);
  }

  move(points: readonly PenPoint[]): void {
    const changed: (Box | null)[] = this.#brush.copies.map(() => null);
    for (const point of points) {
      for (const dab of this.#dabsTo(point)) {
        this.#brush.copies.forEach((turn, index) => {
          changed[index] = union(changed[index] ?? null, this.#paint(turned(dab, turn), diameterOf(this.#brush, dab)));
        });
      }
    }
    const boxes = changed.filter((box) => box !== null);
    if (boxes.length === 0) return;
    this.#boxes.push(...boxes);
    this.#drawing.preview(this.#whole, this.#brush.ink, boxes);
  }

  end(): void {
    this.#drawing.commit(this.#whole, this.#brush.ink, this.#boxes);
    this.#wipe();
  }

  cancel(): void {
    this.#wipe();
    this.#drawing.refresh();
  }

  #dabsTo(point: PenPoint): PenPoint[] {
    const last = this.#last;
    this.#last = point;
    if (!last) {
      this.#left_px = spacingOf(this.#brush, point);
      return [point];
    }
    const dabs: PenPoint[] = [];
    const length = Math.hypot(point.x - last.x, point.y - last.y);
    let at = this.#left_px;
    for (; at <= length; at += spacingOf(this.#brush, point)) {
      const share = length > 0 ? at / length : 1;
      const between = (from: number, to: number) => from + (to - from) * share;
      dabs.push({
        x: between(last.x, point.x),
        y: between(last.y, point.y),
        pressure: between(last.pressure, point.pressure),
      });
    }
    this.#left_px = at - length;
    return dabs;
  }

  #paint(at: Point, diameter: number): Box {
    this.#whole.stamp(this.#dab, at, diameter);
    return boxAround([at], diameter / 2 + 1);
  }

  #wipe(): void {
    for (const box of this.#boxes) this.#whole.clear(box);
  }
}

function diameterOf({ size_px }: Brush, { pressure }: PenPoint): number {
  return size_px * (THINNEST + THICKENING * pressure);
}

function spacingOf(brush: Brush, point: PenPoint): number {
  return Math.max(LEAST_SPACING_PX, SPACING * diameterOf(brush, point));
}

/** A disc whose rim fades over a share of its radius, the brush's softness. */
function dabOf({ colour, size_px, softness }: Brush): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  const side = Math.max(2, Math.ceil(size_px * (THINNEST + THICKENING)));
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser has no 2D canvas");
  const fade = context.createRadialGradient(side / 2, side / 2, 0, side / 2, side / 2, side / 2);
  fade.addColorStop(0, colour);
  fade.addColorStop(1 - softness, colour);
  // By a half where a straight line would have it: ends of a straight one show as rings.
  fade.addColorStop(1 - softness / 2, `${colour}60`);
  fade.addColorStop(1, `${colour}00`);
  context.globalAlpha = HARD_OPACITY + softness * (SOFT_OPACITY - HARD_OPACITY);
  context.fillStyle = fade;
  context.fillRect(0, 0, side, side);
  return canvas;
}
