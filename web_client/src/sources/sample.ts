/** Looks at a picture by a few of its points: is it black, is it transparent anywhere? */

const SIDE_PX = 16;
/** What a covered lens still gives, of 255. */
const BLACK_MAX = 20;

/** Red, green, blue and opacity of the points of a coarse grid; null where they can't be read. */
export function sample(image: CanvasImageSource): Uint8ClampedArray | null {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE_PX;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  try {
    context?.drawImage(image, 0, 0, SIDE_PX, SIDE_PX);
    return context?.getImageData(0, 0, SIDE_PX, SIDE_PX).data ?? null;
  } catch {
    return null;
  }
}

export function isBlack(points: Uint8ClampedArray): boolean {
  return points.every((value, index) => index % 4 === 3 || value <= BLACK_MAX);
}

export function isTransparent(points: Uint8ClampedArray): boolean {
  return points.some((value, index) => index % 4 === 3 && value < 255);
}
