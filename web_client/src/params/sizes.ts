/** Sizes to choose from: a shape, and how much detail. Pure. */

import type { Control, NumberControl } from "./schema";

export interface Size {
  width: number;
  height: number;
}

export interface PictureShape {
  name: string;
  /** Width by height. */
  ratio: number;
}

export const details = ["fast", "sharp", "max"] as const;
export type Detail = (typeof details)[number];

/** What the server makes. */
export interface SizeLimits {
  min: number;
  max: number;
  /** Both sides are multiples of it. */
  step: number;
  max_pixels: number;
}

export interface SizeChoices {
  shapes: readonly PictureShape[];
  /** Pixels of each; those that would be hardly any larger than the one before are left out. */
  details: ReadonlyMap<Detail, number>;
  limits: SizeLimits;
  /** What the server makes where nobody chooses. */
  own: Size;
}

const SHAPES: readonly PictureShape[] = [
  { name: "1:1", ratio: 1 },
  { name: "4:3", ratio: 4 / 3 },
  { name: "16:9", ratio: 16 / 9 },
  { name: "9:16", ratio: 9 / 16 },
];
/** Sides in times of the model's own. */
const SIDES: Readonly<Record<Detail, number>> = { fast: 1, sharp: 1.5, max: 2 };
/** Networks work at an eighth of the size and at half of that again: other sides are padded there. */
const GOOD_STEP = 16;
const LEAST_GAIN = 1.2;
/** Two shapes that are no further apart are one. */
const SAME_SHAPE = 0.05;
const SAME_DETAIL = 0.2;
/** Longer pictures than any of the shapes are cropped to it. */
const LONGEST = 16 / 9;
const MAX_TERM = 21;

/**
 * @param max_pixels most that the server makes; null where it doesn't say.
 * @param camera shape of its pictures; null where there is none.
 * @returns null where the server has no sizes to choose from.
 */
export function sizeChoices(controls: readonly Control[], max_pixels: number | null, camera: Size | null): SizeChoices | null {
  const side = (name: string) => controls.find((one): one is NumberControl => one.name === name && one.kind === "number");
  const [across, down] = [side("width"), side("height")];
  const own = { width: Number(across?.neutral), height: Number(down?.neutral) };
  if (max_pixels === null || across?.min == null || across.max === null || !(own.width > 0 && own.height > 0)) return null;
  const step = GOOD_STEP % across.step === 0 ? GOOD_STEP : across.step;
  const pixels = new Map<Detail, number>();
  let before = 0;
  for (const detail of details) {
    const most = Math.min(max_pixels, own.width * own.height * SIDES[detail] ** 2);
    if (most >= before * LEAST_GAIN) pixels.set(detail, (before = most));
  }
  const ratio = camera && clamped(camera.width / camera.height);
  const isNew = ratio !== null && !SHAPES.some((shape) => isNear(shape.ratio, ratio, SAME_SHAPE));
  return {
    shapes: isNew ? [...SHAPES, { name: termsOf(ratio), ratio }] : SHAPES,
    details: pixels,
    limits: { min: across.min, max: across.max, step, max_pixels },
    own,
  };
}

/** The size of a shape that has about so many pixels. */
export function sizeFor({ ratio }: PictureShape, pixels: number, { limits, own }: SizeChoices): Size {
  const { min, max, step, max_pixels } = limits;
  if (isNear(own.width / own.height, ratio, 0.001) && own.width * own.height === pixels) return own;
  let best = own;
  let least = Number.POSITIVE_INFINITY;
  for (let height = Math.ceil(min / step) * step; height <= max; height += step) {
    const narrow = Math.floor((height * ratio) / step) * step;
    for (const width of [narrow, narrow + step]) {
      if (width < min || width > max || width * height > max_pixels) continue;
      const off = 2 * Math.abs(Math.log(width / height / ratio)) + Math.abs(Math.log((width * height) / pixels));
      if (off < least) [best, least] = [{ width, height }, off];
    }
  }
  return best;
}

/** The shape and the detail that a size has; null for what is none of the choices. */
export function chosenIn(choices: SizeChoices, { width, height }: Size): { shape: PictureShape | null; detail: Detail | null } {
  const near = choices.shapes.filter(({ ratio }) => isNear(ratio, width / height, SAME_SHAPE));
  const shape = near.sort((a, b) => distance(a.ratio, width / height) - distance(b.ratio, width / height))[0] ?? null;
  const detail = [...choices.details].find(([, pixels]) => isNear(pixels, width * height, SAME_DETAIL))?.[0] ?? null;
  return { shape, detail };
}

/** The shape among them that is the camera's. */
export function shapeOf({ shapes }: SizeChoices, camera: Size): PictureShape | null {
  const ratio = clamped(camera.width / camera.height);
  return shapes.find((shape) => isNear(shape.ratio, ratio, SAME_SHAPE)) ?? null;
}

function clamped(ratio: number): number {
  return Math.min(LONGEST, Math.max(1 / LONGEST, ratio));
}

function distance(one: number, other: number): number {
  return Math.abs(Math.log(one / other));
}

function isNear(one: number, other: number, off: number): boolean {
  return distance(one, other) <= off;
}

/** As people write it: 3:4. */
function termsOf(ratio: number): string {
  let [best, least] = ["", Number.POSITIVE_INFINITY];
  for (let down = 1; down <= MAX_TERM; down++) {
    const across = Math.max(1, Math.round(down * ratio));
    // The shortest terms that are good enough.
    if (distance(across / down, ratio) < least - 0.01) [best, least] = [`${across}:${down}`, distance(across / down, ratio)];
  }
  return best;
}
