/** Plays an animated GIF, WebP, APNG or AVIF over and over. Knows neither the page nor who sends its pictures. */

import type { Clock } from "../browser/clock";

/** As browsers take shorter ones: "as fast as you can" was meant for slower machines. */
const SHORTEST_US = 20_000;
const USUAL_US = 100_000;

/** The part of an ImageDecoder that is used. */
export type PictureDecoder = Pick<ImageDecoder, "decode" | "close">;

export class PictureAnimation {
  readonly #decoder: PictureDecoder;
  readonly #count: number;
  readonly #clock: Clock;
  #next = 0;
  /** Counts beginnings and pauses: whatever an older beginning still waits for is of no use. */
  #run = 0;

  /** @param count how many pictures it has. */
  constructor(decoder: PictureDecoder, count: number, clock: Clock) {
    this.#decoder = decoder;
    this.#count = count;
    this.#clock = clock;
  }

  /**
   * Goes on where it paused, until it pauses again.
   * @param draw gets each picture at its time, and may not keep it.
   * @returns whether it broke off by itself.
   */
  async play(draw: (picture: VideoFrame) => void): Promise<boolean> {
    const run = ++this.#run;
    let due_ms = this.#clock.now();
    while (run === this.#run) {
      const picture = await this.#decode();
      if (!picture) return run === this.#run;
      if (run === this.#run) draw(picture);
      const { duration } = picture;
      picture.close();
      const lasts_us = duration === null || duration < SHORTEST_US ? USUAL_US : duration;
      // A page that was hidden, or busy, doesn't catch up.
      due_ms = Math.max(due_ms + lasts_us / 1000, this.#clock.now());
      await new Promise<void>((resolve) => this.#clock.after(due_ms - this.#clock.now(), resolve));
    }
    return false;
  }

  pause(): void {
    this.#run++;
  }

  close(): void {
    this.pause();
    this.#decoder.close();
  }

  /** The next picture; null where the first one can't be had either. A file that breaks off begins again. */
  async #decode(): Promise<VideoFrame | null> {
    for (;;) {
      const frameIndex = this.#next;
      try {
        const { image } = await this.#decoder.decode({ frameIndex });
        this.#next = (frameIndex + 1) % this.#count;
        return image;
      } catch {
        this.#next = 0;
        if (frameIndex === 0) return null;
      }
    }
  }
}

/** The animation in a file; null where it has none, or this browser or this address has no decoder for it. */
export async function openAnimation(file: Blob, clock: Clock): Promise<PictureAnimation | null> {
  if (!("ImageDecoder" in globalThis) || !(await ImageDecoder.isTypeSupported(file.type))) return null;
  const decoder = new ImageDecoder({ data: await file.arrayBuffer(), type: file.type, preferAnimation: true });
  await decoder.tracks.ready;
  const count = decoder.tracks.selectedTrack?.frameCount ?? 0;
  if (count > 1) return new PictureAnimation(decoder, count, clock);
  decoder.close();
  return null;
}

/** Where the formats say it: in the GIF's extension, chunks of WebP and PNG, the brand of AVIF. */
const MARKS = /^GIF8.+NETSCAPE2\.0|^RIFF.+ANIM|^.PNG.+acTL|^....ftypavis/s;
const HEAD_BYTES = 65_536;

/** Whether a file says that it is animated. */
export async function saysItMoves(file: Blob): Promise<boolean> {
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  return MARKS.test(new TextDecoder("latin1").decode(head));
}
