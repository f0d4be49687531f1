/** Tells of a video's next picture, in sight or not. Doesn't know what it shows. */

import { onHiddenTick } from "./hidden_ticks";

type OnPicture = (now_ms: number, metadata?: Pick<VideoFrameCallbackMetadata, "presentedFrames">) => void;

/**
 * Calls `action` once with the next picture, or with the next repaint where the browser doesn't say. On a page that is
 * hidden browsers say nothing: then it is called at the next tick, if the video plays.
 * @returns what calls it off.
 */
export function onNextPicture(video: HTMLVideoElement, action: OnPicture): () => void {
  const callOff = (): void => {
    forget();
    stopTicks();
  };
  const once: OnPicture = (now_ms, metadata) => {
    callOff();
    action(now_ms, metadata);
  };
  const stopTicks = onHiddenTick(() => {
    if (!video.paused) once(performance.now());
  });
  const forget = onShown(video, once);
  return callOff;
}

function onShown(video: HTMLVideoElement, action: OnPicture): () => void {
  if ("requestVideoFrameCallback" in video) {
    const asked = video.requestVideoFrameCallback(action);
    return () => video.cancelVideoFrameCallback(asked);
  }
  const asked = requestAnimationFrame((now_ms) => action(now_ms));
  return () => cancelAnimationFrame(asked);
}
