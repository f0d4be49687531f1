/** A canvas outside the page whose pictures go to a video track, each when it is told to. */

import { streamOf } from "../browser/canvas_stream";
import { drawFitted } from "../sources/crop";
import type { TrackCanvas } from "./track_sender";

export function createTrackCanvas(): TrackCanvas {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("this browser has no 2D canvas");
  const { stream, capture } = streamOf(canvas);
  return {
    stream,
    capture(picture, width, height) {
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      drawFitted(context, picture);
      capture();
    },
  };
}
