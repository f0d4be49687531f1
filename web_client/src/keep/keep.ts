/** Keeps what was on the screen: snapshots with their recipe, and the last half minute to go back to. */

import { signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import { download, fileName } from "../browser/download";
import type { ProblemKind } from "../languages/strings";
import { Flag, Format, type Frame, mimeTypes, type Params } from "../protocol";
import type { Player } from "../receiving/player";
import { withRecipe } from "./recipe";
import { type Moment, RewindRing } from "./rewind";

/** A video has no pictures to keep: some of it are compressed for that, as many as cost little. */
const VIDEO_EVERY_MS = 200;
const VIDEO_QUALITY = 0.85;

export interface KeepOptions {
  clock: Clock;
  player: Pick<Player, "picture" | "snapshot">;
  model: () => string;
  /** The params that made the picture on the screen. */
  shownParams: () => Params | null;
  /** The params of a version; of null, those in force. */
  ofVersion: (version: number | null) => Params | null;
  /** There is nothing to save, or to go back to. */
  onNothing: (problem: Extract<ProblemKind, "noSnapshot" | "noRewind">) => void;
}

export class Keep {
  /** The moments to scrub through; null while the picture is live. */
  readonly moments = signal<readonly Moment[] | null>(null);
  readonly index = signal(0);
  /** Shows the moment that is scrubbed to. */
  readonly past = document.createElement("canvas");

  readonly #options: KeepOptions;
  readonly #ring = new RewindRing();
  #keptVideoAt_ms = -VIDEO_EVERY_MS;

  constructor(options: KeepOptions) {
    this.#options = options;
  }

  async saveSnapshot(): Promise<void> {
    const { player, model, shownParams, onNothing } = this.#options;
    const moment = this.moment;
    const [png, params] = moment
      ? [await toPng(await createImageBitmap(moment.picture)), moment.params]
      : [await player.snapshot(), shownParams()];
    if (!png || !params) {
      onNothing("noSnapshot");
      return;
    }
    const recipe = { model: model(), params, seq: 0 };
    const bytes = withRecipe(new Uint8Array(await png.arrayBuffer()), recipe);
    this.save(new Blob([bytes], { type: "image/png" }), "png");
  }

  save(file: Blob, extension: string): void {
    download(file, fileName("realtime", extension), this.#options.clock);
  }

  get moment(): Moment | null {
    return this.moments.peek()?.[this.index.peek()] ?? null;
  }

  /** Goes back in time, or to the live picture again. */
  toggleRewind(): void {
    const moments = this.#ring.moments();
    if (this.moments.peek() !== null) this.moments.value = null;
    else if (moments.length === 0) this.#options.onNothing("noRewind");
    else {
      this.moments.value = moments;
      void this.scrubTo(moments.length - 1);
    }
  }

  async scrubTo(index: number): Promise<void> {
    this.index.value = Math.min((this.moments.peek()?.length ?? 1) - 1, Math.max(0, index));
    const moment = this.moment;
    if (!moment) return;
    const bitmap = await createImageBitmap(moment.picture);
    // A hand that scrubs is faster than the decoder: only the last one asked for is shown.
    if (this.moment === moment) {
      [this.past.width, this.past.height] = [bitmap.width, bitmap.height];
      this.past.getContext("2d", { alpha: false })?.drawImage(bitmap, 0, 0);
    }
    bitmap.close();
  }

  /** Keeps a picture that came onto the screen: its frame, or null where it is one of a video. */
  add(frame: Frame | null): void {
    const at_ms = this.#options.clock.now();
    if (frame === null) void this.#addVideo(at_ms);
    else if (frame.format !== Format.none && !(frame.flags & Flag.repeat)) {
      const picture = new Blob([frame.payload], { type: mimeTypes[frame.format] });
      this.#ring.add({ at_ms, picture, params: this.#options.ofVersion(frame.params_version) });
    }
  }

  async #addVideo(at_ms: number): Promise<void> {
    const shown = this.#options.player.picture();
    if (!shown || at_ms - this.#keptVideoAt_ms < VIDEO_EVERY_MS) return;
    this.#keptVideoAt_ms = at_ms;
    const canvas = new OffscreenCanvas(shown.width, shown.height);
    canvas.getContext("2d", { alpha: false })?.drawImage(shown.image, 0, 0);
    const picture = await canvas.convertToBlob({ type: "image/jpeg", quality: VIDEO_QUALITY });
    this.#ring.add({ at_ms, picture, params: this.#options.ofVersion(null) });
  }
}

async function toPng(bitmap: ImageBitmap): Promise<Blob> {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d", { alpha: false })?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}
