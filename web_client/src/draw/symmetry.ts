/** Copies of a mark, mirrored and turned about the picture's centre. Pure. */

import { type Box, boxAround, type Point } from "./geometry";

export const symmetries = ["none", "sides", "quarters", "turns"] as const;
export type Symmetry = (typeof symmetries)[number];

/** A map of the sheet onto itself that leaves the centre where it is: (x, y) → (a·x + c·y, b·x + d·y). */
export type Turn = readonly [a: number, b: number, c: number, d: number];

const TURNS = 6;
const ITSELF: Turn = [1, 0, 0, 1];
const MIRRORED: Turn = [-1, 0, 0, 1];

/** The maps that make a mark's copies, itself first. */
export const copies: Readonly<Record<Symmetry, readonly Turn[]>> = {
  none: [ITSELF],
  sides: [ITSELF, MIRRORED],
  quarters: [ITSELF, MIRRORED, [1, 0, 0, -1], [-1, 0, 0, -1]],
  turns: Array.from({ length: TURNS }, (_, index) => {
    const [cos, sin] = [Math.cos((index * 2 * Math.PI) / TURNS), Math.sin((index * 2 * Math.PI) / TURNS)];
    return [cos, sin, -sin, cos] as const;
  }),
};

export function turned({ x, y }: Point, [a, b, c, d]: Turn): Point {
  return { x: a * x + c * y, y: b * x + d * y };
}

/** The smallest box of whole pixels around the map of another. */
export function turnedBox({ left, top, right, bottom }: Box, turn: Turn): Box {
  const corners = [left, right].flatMap((x) => [top, bottom].map((y) => turned({ x, y }, turn)));
  return boxAround(corners, 0);
}
