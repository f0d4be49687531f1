/** A canvas as a video stream that takes a picture when it is told to. Doesn't know what is drawn. */

export interface CanvasStream {
  readonly stream: MediaStream;
  /** Hands what is on the canvas to the stream, as its next picture. */
  capture(): void;
  stop(): void;
}

/** @param canvas one that has a context already: browsers capture no other. */
export function streamOf(canvas: HTMLCanvasElement): CanvasStream {
  const stream = canvas.captureStream(0);
  const track = stream.getVideoTracks()[0];
  if (!track) throw new Error("this browser makes no video of a canvas");
  // The draft had it on the stream, and that is where Firefox has it.
  const captor = ("requestFrame" in track ? track : stream) as CanvasCaptureMediaStreamTrack;
  return { stream, capture: () => captor.requestFrame(), stop: () => track.stop() };
}
