/** Tells of a video's next picture. Doesn't know what it shows. */

/** Calls `action` once with the next picture, or with the next repaint where the browser doesn't say. */
export function onNextPicture(
  video: HTMLVideoElement,
  action: (now_ms: number, metadata?: Pick<VideoFrameCallbackMetadata, "presentedFrames">) => void,
): void {
  if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(action);
  else requestAnimationFrame(action);
}
