/** The program as a video stream, one frame for each time it is drawn. Doesn't know who watches. */

import { streamOf } from "../browser/canvas_stream";
import type { Program } from "./program";

/** A canvas that rests gives its stream nothing, and a recorder or a video needs something to begin with. */
const REST_MS = 250;

export interface DrawnStream {
  stream: MediaStream;
  release: () => void;
}

/** @param isBeside whether the input lies beside the program. */
export function createDrawnStream(program: Program, { isBeside = false }: { isBeside?: boolean }): DrawnStream {
  const canvas = document.createElement("canvas");
  canvas.getContext("2d", { alpha: false });
  const { stream, capture, stop } = streamOf(canvas);
  let drawnAt_ms = 0;
  const remove = program.add({
    canvas,
    isBeside,
    onDrawn: () => {
      drawnAt_ms = performance.now();
      capture();
    },
  });
  const rest = setInterval(() => {
    if (performance.now() - drawnAt_ms >= REST_MS) program.changed("mix");
  }, REST_MS);
  return {
    stream,
    release: () => {
      clearInterval(rest);
      remove();
      stop();
    },
  };
}
