/** The centred part of a picture that has a wanted shape. */

export interface Crop {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The largest centred rectangle of `width`×`height` that has the shape of `toWidth`×`toHeight`. */
export function centreCrop(width: number, height: number, toWidth: number, toHeight: number): Crop {
  const scale = Math.min(width / toWidth, height / toHeight);
  const [cropWidth, cropHeight] = [toWidth * scale, toHeight * scale];
  return { x: (width - cropWidth) / 2, y: (height - cropHeight) / 2, width: cropWidth, height: cropHeight };
}
