/** A pen's stroke as it grows: its outline, and how much of it is settled. Pure, but for the Path2D at the end. */

import { getStroke } from "perfect-freehand";
import { type Box, boxAround, type Point } from "./geometry";

export interface PenPoint extends Point {
  /** 0 to 1. */
  readonly pressure: number;
}

/** From here on the start of a stroke is settled, so that its end costs the same however long it gets. */
const LIVE_POINTS = 64;
/** Settled points that are outlined again with the next piece, so that the joint doesn't show. */
const OVERLAP_POINTS = 8;
const SHORTEST_STEP_PX = 0.7;
const THINNING = 0.6;

/**
 * A stroke in two parts: what is settled is handed out once and for all, the rest as often as it grows.
 *
 * @param size_px diameter at half pressure; at full pressure it is 1.6 times that, at none 0.4 times.
 */
export class Stroke {
  readonly size_px: number;
  #live: PenPoint[] = [];

  constructor(size_px: number) {
    this.size_px = size_px;
  }

  /** @returns whether the pen has moved enough to be drawn. */
  add(point: PenPoint): boolean {
    const last = this.#live.at(-1);
    if (last && Math.hypot(point.x - last.x, point.y - last.y) < SHORTEST_STEP_PX) return false;
    this.#live.push(point);
    return true;
  }

  /** The outline of a piece that won't change any more; null while there is none. */
  settle(): Point[] | null {
    const overlap = this.#overlap();
    if (this.#live.length - overlap < LIVE_POINTS) return null;
    const piece = outline(this.#live, this.size_px, false);
    this.#live = this.#live.slice(-overlap);
    return piece;
  }

  /** The outline of all that isn't settled. */
  live(isFinished: boolean): Point[] {
    return outline(this.#live, this.size_px, isFinished);
  }

  /** The outline's start skips a diameter's length, so the overlap is at least that long. */
  #overlap(): number {
    let count = 1;
    let length = 0;
    for (; count < this.#live.length; count++) {
      if (count >= OVERLAP_POINTS && length > this.size_px) break;
      const [a, b] = [this.#live.at(-count) as PenPoint, this.#live.at(-count - 1) as PenPoint];
      length += Math.hypot(a.x - b.x, a.y - b.y);
    }
    return count;
  }
}

function outline(points: readonly PenPoint[], size_px: number, isFinished: boolean): Point[] {
  const options = {
    size: size_px,
    thinning: THINNING,
    smoothing: 0.5,
    streamline: 0.35,
    simulatePressure: false,
    last: isFinished,
  };
  return getStroke(points as PenPoint[], options).map(([x, y]) => ({ x: x as number, y: y as number }));
}

/** The pressure of a mouse or finger, from its speed: what is drawn fast is thin. */
export class Speed {
  #last: { x: number; y: number; at_ms: number } | null = null;
  #pressure = 0.5;

  /** @param unit_px the length that counts as one: the picture's shorter side. */
  pressureAt(x: number, y: number, at_ms: number, unit_px: number): number {
    const last = this.#last;
    this.#last = { x, y, at_ms };
    if (!last) return this.#pressure;
    const length = Math.hypot(x - last.x, y - last.y) / unit_px;
    const seconds = Math.max(0.001, (at_ms - last.at_ms) / 1000);
    const wanted = 1 / (1 + length / seconds / 1.5);
    // Over a length, not a time: a pen that waits doesn't swell.
    this.#pressure += (wanted - this.#pressure) * (1 - Math.exp(-length * 25));
    return this.#pressure;
  }
}

export function boxOfOutline(points: readonly Point[]): Box | null {
  return points.length > 0 ? boxAround(points, 1) : null;
}

/** Through the middles of the edges: round where the outline's own corners would show. */
export function pathOf(points: readonly Point[]): Path2D {
  const path = new Path2D();
  points.forEach(({ x, y }, index) => {
    const next = points[(index + 1) % points.length] as Point;
    if (index === 0) path.moveTo((x + next.x) / 2, (y + next.y) / 2);
    else path.quadraticCurveTo(x, y, (x + next.x) / 2, (y + next.y) / 2);
  });
  path.closePath();
  return path;
}
