/** A brush stroke: its points, and how it becomes a shape. Pure, apart from building a Path2D. */

import { getStroke } from "perfect-freehand";

/** x and y in units of the picture's shorter side, from its centre: a drawing survives a change of size and shape. */
export type Point = [x: number, y: number, pressure: number];

export interface Stroke {
  points: Point[];
  colour: string;
  /** Diameter at full pressure, in units of the picture's shorter side. */
  size: number;
  /** True for pens that report pressure; a mouse or finger gets it from speed. */
  hasPressure: boolean;
}

/** perfect-freehand's constants are made for pixels, so strokes are outlined at about the size of a screen. */
const SCALE = 1000;

/** The outline of a stroke as a closed shape, in units of a thousandth of the picture's shorter side. */
export function outline(stroke: Stroke, finished: boolean): [number, number][] {
  return getStroke(
    stroke.points.map(([x, y, pressure]) => [x * SCALE, y * SCALE, pressure]),
    {
      size: stroke.size * SCALE,
      thinning: 0.6,
      smoothing: 0.5,
      streamline: 0.35,
      simulatePressure: !stroke.hasPressure,
      last: finished,
    },
  ) as [number, number][];
}

/** Draws a stroke with the context's origin at the centre and the shorter side as unit. */
export function paint(context: CanvasRenderingContext2D, stroke: Stroke, finished: boolean): void {
  const points = outline(stroke, finished);
  const path = new Path2D();
  points.forEach(([x, y], index) => {
    const [nextX, nextY] = points[(index + 1) % points.length] ?? [x, y];
    // Through the middles of the edges: round where the outline's own corners would show.
    if (index === 0) path.moveTo((x + nextX) / 2, (y + nextY) / 2);
    else path.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  });
  path.closePath();
  context.save();
  context.scale(1 / SCALE, 1 / SCALE);
  context.fillStyle = stroke.colour;
  context.fill(path);
  context.restore();
}
