/** The marks that tools make while the pen is down: strokes, moved layers, filled areas. Knows no pointer. */

import type { Drawing, Ink } from "./drawing";
import { flood, widen } from "./flood";
import { type Box, clip, type Point, type Shift, shiftBetween, shiftedOn, union } from "./geometry";
import { boxOfOutline, pathOf, type PenPoint, Stroke } from "./stroke";
import type { Surface } from "./surface";
import { type Turn, turned } from "./symmetry";

/** Something being drawn. */
export interface Mark {
  /** @param isRegular whether shapes are held square, round, or to eighths of a turn. */
  move(points: readonly PenPoint[], isRegular: boolean): void;
  end(): void;
  /** Leaves nothing behind. */
  cancel(): void;
}

export interface Brush {
  readonly colour: string;
  readonly size_px: number;
  /** Of the rim, as a share of the radius; 0 is hard. */
  readonly softness: number;
  readonly ink: Ink;
  /** The maps by which each mark is painted, itself first. */
  readonly copies: readonly Turn[];
}

/** The surfaces on which marks are made before they belong to a layer; used again for each. */
export interface Scratch {
  /** The settled part of a stroke. */
  readonly settled: Surface;
  /** All of the mark, in full strength: overlaps don't show in a faint one. */
  readonly whole: Surface;
}

export class StrokeMark implements Mark {
  readonly #drawing: Drawing;
  readonly #scratch: Scratch;
  readonly #brush: Brush;
  readonly #stroke: Stroke;
  /** The boxes of the settled pieces. */
  readonly #boxes: Box[] = [];
  /** That of the unsettled piece of each copy. */
  #live: readonly Box[] = [];

  constructor(drawing: Drawing, scratch: Scratch, brush: Brush) {
    this.#drawing = drawing;
    this.#scratch = scratch;
    this.#brush = brush;
    this.#stroke = new Stroke(brush.size_px);
  }

  move(points: readonly PenPoint[]): void {
    let hasGrown = false;
    for (const point of points) hasGrown = this.#stroke.add(point) || hasGrown;
    if (!hasGrown) return;
    const piece = this.#stroke.settle();
    if (piece) this.#keep(piece);
    this.#show(this.#stroke.live(false));
  }

  end(): void {
    this.#show(this.#stroke.live(true));
    this.#boxes.push(...this.#live);
    this.#drawing.commit(this.#scratch.whole, this.#brush.ink, this.#boxes);
    this.#wipe();
  }

  cancel(): void {
    this.#wipe();
    this.#drawing.refresh();
  }

  #keep(outline: Point[]): void {
    for (const copy of this.#copiesOf(outline)) {
      const box = boxOfOutline(copy);
      if (!box) continue;
      this.#scratch.settled.fill(pathOf(copy), this.#brush.colour);
      this.#boxes.push(box);
    }
  }

  #show(outline: Point[]): void {
    const { settled, whole } = this.#scratch;
    const copies = this.#copiesOf(outline);
    const boxes = copies.flatMap((copy) => boxOfOutline(copy) ?? []);
    if (boxes.length === 0) return;
    // Also where it was before: the end of a stroke draws back a little as it grows.
    const changed = boxes.flatMap((box, index) => clip(union(this.#live[index] ?? null, box), whole.box) ?? []);
    this.#live = boxes;
    if (changed.length === 0) return;
    // All of them before any is painted: copies may lie over each other.
    for (const box of changed) {
      whole.clear(box);
      whole.blit(settled, box);
    }
    for (const copy of copies) whole.fill(pathOf(copy), this.#brush.colour);
    this.#drawing.preview(whole, this.#brush.ink, changed);
  }

  #copiesOf(outline: Point[]): Point[][] {
    const { copies } = this.#brush;
    return copies.length === 1 ? [outline] : copies.map((turn) => outline.map((point) => turned(point, turn)));
  }

  #wipe(): void {
    for (const surface of [this.#scratch.settled, this.#scratch.whole]) {
      for (const box of [...this.#boxes, ...this.#live]) surface.clear(box);
    }
  }
}

/** The whole layer in the hand: it moves, or held regular it is scaled. */
export class ShiftMark implements Mark {
  readonly #drawing: Drawing;
  readonly #before: Shift;
  #from: Point | null = null;
  #shift: Shift | null = null;

  constructor(drawing: Drawing) {
    this.#drawing = drawing;
    this.#before = drawing.shift.peek();
  }

  move(points: readonly PenPoint[], isRegular: boolean): void {
    const point = points.at(-1);
    if (!point) return;
    if (!this.#from) this.#from = point;
    else {
      this.#shift = shiftedOn(this.#before, shiftBetween(this.#from, point, isRegular));
      this.#drawing.previewShift(this.#shift);
    }
  }

  end(): void {
    if (this.#shift) this.#drawing.commitShift(this.#shift);
  }

  cancel(): void {
    this.#drawing.refresh();
  }
}

/**
 * Fills what hangs together in the picture as it is seen, on the active layer.
 *
 * @param tolerance 0 to 255 in each of red, green and blue.
 */
export function fillArea(drawing: Drawing, { whole }: Scratch, brush: Brush, at: Point, tolerance: number): void {
  const { box } = drawing;
  const [x, y] = [Math.floor(at.x - box.left), Math.floor(at.y - box.top)];
  const seen = drawing.read();
  if (x < 0 || y < 0 || x >= seen.width || y >= seen.height) return;
  const area = widen(
    flood(new Uint32Array(seen.data.buffer), seen.width, x, y, tolerance),
    seen.width,
    seen.height,
  );
  const part = {
    left: area.box.left + box.left,
    top: area.box.top + box.top,
    right: area.box.right + box.left,
    bottom: area.box.bottom + box.top,
  };
  whole.write(coloured(area.mask, area.box, seen.width, brush.colour), part);
  drawing.commit(whole, brush.ink, [part]);
  whole.clear(part);
}

function coloured(mask: Uint8Array, box: Box, stride: number, colour: string): ImageData {
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const rgb = Number.parseInt(colour.slice(1), 16);
  // Little-endian, as every machine with a browser is: red comes first in memory.
  const pixel = (0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >>> 16)) >>> 0;
  for (let y = 0; y < height; y++) {
    const from = (y + box.top) * stride + box.left;
    for (let x = 0; x < width; x++) if (mask[from + x]) pixels[y * width + x] = pixel;
  }
  return image;
}
