/** Gives the newest picture of the source to a video track, as often as it changes and no oftener than video needs. */

import type { Clock } from "../browser/clock";
import type { Picture, Source } from "../sources/source";
import { RETRY_MS } from "./frame_sender";
import type { Sender } from "./sender";

/** A canvas whose pictures become a track when they are told to. */
export interface TrackCanvas {
  /** The track, in a stream of its own. */
  readonly stream: MediaStream;
  /** Draws the picture in this size and hands it to the track. */
  capture(picture: Picture, width: number, height: number): void;
}

export interface TrackSenderOptions {
  clock: Clock;
  createCanvas: () => TrackCanvas;
  /** Width and height to send; null while nothing may be sent. */
  target: () => { width: number; height: number } | null;
  /** Tells the server whether what is sent from now on is to be shown as it is. */
  tellAsIs: (isAsIs: boolean) => void;
  onSent: () => void;
  onError: (error: unknown) => void;
}

/** Less than a camera's 33 ms, whose pictures don't come evenly; more than a screen's 16, at which strokes change. */
const SHORTEST_MS = 25;
/** A picture that rests is sent again: the encoder spends on it what motion left it no bits for. */
const REST_MS = 200;
/** And then time after time, for key frames that somebody asks for late and for packets that were lost. */
const STILL_MS = 1000;

export class TrackSender implements Sender {
  readonly #options: TrackSenderOptions;
  #canvas: TrackCanvas | null = null;
  #source: Source | null = null;
  #sentAt_ms = -SHORTEST_MS;
  #isAsIs = false;
  #callOff: () => void = () => {};

  constructor(options: TrackSenderOptions) {
    this.#options = options;
  }

  /** The same one for as long as the page lives: changing the source or the size doesn't end it. */
  get stream(): MediaStream {
    this.#canvas ??= this.#options.createCanvas();
    this.#hint();
    return this.#canvas.stream;
  }

  use(source: Source | null): void {
    this.#callOff();
    this.#source = source;
    this.#hint();
  }

  connected(): void {
    this.#isAsIs = false;
    this.changed();
  }

  readonly changed = (): void => {
    const { clock } = this.#options;
    this.#callOff();
    const wait_ms = this.#sentAt_ms + SHORTEST_MS - clock.now();
    if (wait_ms <= 0) this.#send(REST_MS);
    else this.#callOff = clock.after(wait_ms, () => this.#send(REST_MS));
  };

  /** Tells the encoder what to keep where bits are short: sharp strokes, or even motion. */
  #hint(): void {
    for (const track of this.#canvas?.stream.getVideoTracks() ?? [])
      track.contentHint = this.#source?.isStill ? "detail" : "motion";
  }

  #send(again_ms: number): void {
    const { clock, target, tellAsIs, onSent, onError } = this.#options;
    const size = target();
    const picture = this.#source?.picture();
    if (!size || !picture || !this.#canvas) return;
    const isAsIs = picture.isBlank ?? false;
    if (isAsIs !== this.#isAsIs) tellAsIs((this.#isAsIs = isAsIs));
    try {
      this.#canvas.capture(picture, size.width, size.height);
    } catch (error) {
      onError(error);
      this.#callOff = clock.after(RETRY_MS, () => this.#send(again_ms));
      return;
    }
    this.#sentAt_ms = clock.now();
    onSent();
    if (this.#source?.isStill) this.#callOff = clock.after(again_ms, () => this.#send(STILL_MS));
  }
}
