/** One captured stream at a time, shown as a video: what camera and screen share. Notices when it shows nothing. */

import { MovingPicture, stopTracks } from "./moving";
import { isBlack, sample } from "./sample";
import type { CropPlace, Picture, SourceProblem } from "./source";

export interface CaptureOptions {
  /** Called when the stream ends by itself: unplugged, or taken back. */
  onEnded: () => void;
  /** Called when its pictures begin to fail to come, or to be black, and with null when they are back. */
  onBlank: (problem: SourceProblem | null) => void;
  /** What black pictures are called; null where they are nothing to speak of. */
  black: SourceProblem | null;
}

const LOOK_MS = 1000;
/** A dark moment is none that long. */
const BLACK_LOOKS = 3;
/** Some browsers call every track muted until it has its first picture. */
const MUTED_MS = 700;

export class Capture {
  readonly #moving = new MovingPicture();
  readonly view = this.#moving.view;
  readonly shape = this.#moving.shape;
  readonly #options: CaptureOptions;
  #stream: MediaStream | null = null;
  /** Counts openings: whoever is asked may answer after the source was switched away. */
  #opening = 0;
  #lookedAt_ms = 0;
  #blackLooks = 0;
  #told: SourceProblem | null = null;

  constructor(options: CaptureOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#stream !== null;
  }

  /** Shows the stream that `ask` gives instead of the one before; null leaves that. Returns the new stream. */
  async open(ask: () => Promise<MediaStream | null>, changed: () => void): Promise<MediaStream | null> {
    const opening = ++this.#opening;
    const stream = await ask();
    if (!stream) return null;
    if (opening !== this.#opening) {
      stopTracks(stream);
      return null;
    }
    this.release();
    this.#stream = stream;
    const track = stream.getVideoTracks()[0];
    track?.addEventListener("ended", () => {
      if (stream !== this.#stream) return;
      this.release();
      this.#options.onEnded();
    });
    track?.addEventListener("unmute", this.#tell);
    track?.addEventListener("mute", this.#tellSoon);
    this.#tellSoon();
    this.#moving.show(stream, () => {
      this.#look();
      changed();
    });
    return stream;
  }

  /** Ends what is on show, and what is still being asked for. */
  stop(): void {
    this.#opening++;
    this.release();
  }

  /** Ends what is on show. */
  release(): void {
    if (this.#stream) stopTracks(this.#stream);
    this.#stream = null;
    this.#blackLooks = 0;
    this.#tell();
    this.#moving.clear();
  }

  picture(mirrored: boolean, crop: CropPlace): Picture | null {
    return this.#moving.picture(mirrored, crop);
  }

  /** Once a second: a shutter or a privacy switch often sends black pictures that the browser takes for good ones. */
  #look(): void {
    const now_ms = performance.now();
    if (this.#options.black === null || now_ms - this.#lookedAt_ms < LOOK_MS) return;
    this.#lookedAt_ms = now_ms;
    const points = sample(this.view);
    this.#blackLooks = points && isBlack(points) ? this.#blackLooks + 1 : 0;
    this.#tell();
  }

  readonly #tellSoon = (): void => {
    setTimeout(this.#tell, MUTED_MS);
  };

  readonly #tell = (): void => {
    const isMuted = this.#stream?.getVideoTracks()[0]?.muted;
    const problem = isMuted ? "inputMuted" : this.#blackLooks >= BLACK_LOOKS ? this.#options.black : null;
    if (problem === this.#told) return;
    this.#told = problem;
    this.#options.onBlank(problem);
  };
}
