/** Sends the newest picture of the source over the transport in use: as frames, or as a video track. */

import { signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import type { TransportKind } from "../connection/transport_choice";
import type { Source } from "../sources/source";
import { type Encode, NoEncoder } from "./encoder";
import { FrameSender } from "./frame_sender";
import type { Sender } from "./sender";
import { type TrackCanvas, TrackSender } from "./track_sender";

export interface SendersOptions {
  clock: Clock;
  /** The transport in use. */
  transport: () => TransportKind;
  /** Width and height to send; null while nothing may be sent. */
  target: () => { width: number; height: number } | null;
  encode: Encode;
  sendFrame: (bytes: ArrayBuffer) => void;
  createCanvas: () => TrackCanvas;
  /** See `TrackSenderOptions`. */
  tellAsIs: (isAsIs: boolean) => void;
  onSent: () => void;
  /** Pictures have failed for a while: those of this input, or all of them in this browser (`NoEncoder`). */
  onError: (error: unknown) => void;
}

/** Pictures in a row that fail before it is worth a word. */
const PATIENCE = 5;

export class Senders implements Sender {
  /** Whether the server owes an answer to a frame. */
  readonly isAtWork = signal(false);

  readonly #options: SendersOptions;
  readonly #frames: FrameSender;
  readonly #tracks: TrackSender;
  #failures = 0;

  constructor(options: SendersOptions) {
    this.#options = options;
    const { encode, sendFrame, createCanvas, tellAsIs } = options;
    this.#frames = new FrameSender({ ...this.#optionsFor("websocket"), encode, send: sendFrame });
    this.#tracks = new TrackSender({ ...this.#optionsFor("webrtc"), createCanvas, tellAsIs });
  }

  /** The stream of the video track, the same one for as long as the page lives. */
  get stream(): MediaStream {
    return this.#tracks.stream;
  }

  use(source: Source | null): void {
    this.#failures = 0;
    this.#frames.use(source);
    this.#tracks.use(source);
  }

  connected(window: number): void {
    this.#inUse.connected(window);
  }

  readonly changed = (): void => {
    this.#inUse.changed();
  };

  /** A result with `seq` answers that frame and settles every lower one. */
  settleUpTo(seq: number): void {
    this.#frames.credit.settleUpTo(seq);
    this.pump();
  }

  /** These frames will get no result. */
  settle(seqs: Iterable<number>): void {
    this.#frames.credit.settle(seqs);
    this.pump();
  }

  /** Sends a frame that waits, if it may go now; call it whenever the server has said something. */
  pump(): void {
    void this.#frames.pump();
    this.#noteWork();
  }

  get #inUse(): Sender {
    return this.#options.transport() === "webrtc" ? this.#tracks : this.#frames;
  }

  /** The options of one sender, which has a target only while its transport is in use. */
  #optionsFor(kind: TransportKind) {
    const { clock, transport, target, onSent, onError } = this.#options;
    return {
      clock,
      target: () => (transport() === kind ? target() : null),
      onSent: () => {
        this.#failures = 0;
        onSent();
        this.#noteWork();
      },
      onError: (error: unknown) => {
        if (++this.#failures === (error instanceof NoEncoder ? 1 : PATIENCE)) onError(error);
      },
    };
  }

  #noteWork(): void {
    this.isAtWork.value = this.#frames.credit.unsettled > 0;
  }
}
