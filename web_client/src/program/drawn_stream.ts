/** The program as a video stream, one frame for each time it is drawn. Doesn't know who watches. */

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
  // A canvas without a context can't be captured.
  canvas.getContext("2d", { alpha: false });
  const stream = canvas.captureStream(0);
  const track = stream.getVideoTracks()[0];
  if (!track) throw new Error("this browser makes no video of a canvas");
  // The draft had it on the stream, and that is where Firefox has it.
  const captor = ("requestFrame" in track ? track : stream) as CanvasCaptureMediaStreamTrack;
  let drawnAt_ms = 0;
  const remove = program.add({
    canvas,
    isBeside,
    onDrawn: () => {
      drawnAt_ms = performance.now();
      captor.requestFrame();
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
      track.stop();
    },
  };
}
