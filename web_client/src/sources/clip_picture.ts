/** What a picture or video file looks like, small. */

import { onNextPicture } from "../browser/video_frames";
import { thumbnail } from "../browser/thumbnail";
import { FileSource } from "./file";

/** Into a video: many begin in black. */
const SHARE = 0.2;
const PATIENCE_MS = 5000;

/** A JPEG in base64; undefined where it has no picture in time. Rejects with a SourceError where it can't be shown. */
export async function clipPicture(file: File): Promise<string | undefined> {
  const source = new FileSource();
  try {
    await source.open(file);
    await source.start(() => {});
    if (source.hasVideo.peek()) await firstPicture(source);
    const picture = source.picture();
    return picture ? thumbnail(picture.image, picture.width, picture.height) : undefined;
  } finally {
    source.close();
  }
}

/** Resolves when the video shows something of its beginning. */
function firstPicture({ video, duration_s }: FileSource): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    onNextPicture(video, () => {
      video.onseeked = done;
      video.currentTime = duration_s.peek() * SHARE;
    });
  });
}
