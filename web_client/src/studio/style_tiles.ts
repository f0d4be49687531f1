/** A picture of each style, made of the user's own newest frame, or of a stock picture before there is one. */

import { signal } from "@preact/signals";
import { painted } from "../browser/painted";
import { type Frame, mimeTypes, type Params, type Phrase, type Value } from "../protocol";

/** Where the picture comes from that they are made of. */
export interface TileSource {
  /** Anew for each input; what is made of one is not made again by itself. */
  name: string;
  /** JPEG of the size; null where there is no picture yet. */
  jpeg: (width: number, height: number) => Promise<Uint8Array | null>;
}

/** Has the picture made in each look, and reports each; rejects where that breaks off. */
export type MakeTiles = (
  jpeg: Uint8Array,
  looks: readonly Readonly<Record<string, Value>>[],
  onPicture: (index: number, frame: Frame) => void,
  abort: AbortSignal,
) => Promise<void>;

/** What would come into a tile from the pictures before it, or leave parts of it as they are. */
const PLAIN: Readonly<Record<string, Value>> = { matte: "off", feedback: 0, calm: 0, seed_travel: 0, negative_prompt: "", references: [] };
const KEPT = new Set(["strength", "num_inference_steps", "seed"]);
/** Until it is tried again: at first a camera may be coming to itself, and a server that is full or busy stays so. */
const AGAIN_AFTER_MS = 1500;
const AGAIN_AFTER_AT_MOST_MS = 60_000;

export class StyleTiles {
  /** By the style's name. Of an older picture until the new ones are there. */
  readonly pictures = signal<ReadonlyMap<string, HTMLCanvasElement>>(new Map());
  readonly isBusy = signal(false);

  readonly #make: MakeTiles;
  #madeOf: string | null = null;
  #triedOf: string | null = null;
  #brokenOff = 0;
  #running: AbortController | null = null;

  constructor(make: MakeTiles) {
    this.#make = make;
  }

  /**
   * Makes the tiles, unless they are of this source already or are being made of it.
   * @returns null where they are or will be; else in how many milliseconds it is to be tried again, since there is no
   *   picture yet, or it broke off: each time later, as a server without a place for it may have one some day.
   */
  async follow(source: TileSource, styles: readonly Phrase[], params: Params): Promise<number | null> {
    if (source.name === this.#madeOf) return null;
    const jpeg = await source.jpeg(params.width, params.height);
    if (!jpeg) return AGAIN_AFTER_MS;
    if (source.name !== this.#triedOf) [this.#triedOf, this.#brokenOff] = [source.name, 0];
    this.#madeOf = source.name;
    this.#running?.abort();
    const abort = new AbortController();
    this.#running = abort;
    this.isBusy.value = true;
    const looks = styles.map(({ prompt }) => tileLook(prompt, params));
    const put = (index: number, frame: Frame) => void this.#put(styles[index]?.name ?? "", frame);
    const isWhole = await this.#make(jpeg, looks, put, abort.signal).then(
      () => true,
      () => false,
    );
    if (this.#running !== abort) return null; // another source's are being made
    this.isBusy.value = false;
    if (isWhole) return null;
    this.#madeOf = null;
    return Math.min(AGAIN_AFTER_AT_MOST_MS, AGAIN_AFTER_MS * 2 ** this.#brokenOff++);
  }

  /** Has them made anew, of the picture of this moment. */
  forget(): void {
    this.#madeOf = null;
    this.#brokenOff = 0;
  }

  async #put(name: string, frame: Frame): Promise<void> {
    const canvas = await painted(new Blob([frame.payload], { type: mimeTypes[frame.format] })).catch(() => null);
    if (canvas) this.pictures.value = new Map(this.pictures.peek()).set(name, canvas);
  }
}

/**
 * The look in force in another style, as far as the server has its fields. Of the size that is made live, though tiles are
 * small: for another one a server would first compile its networks, or capture them, which takes far more than it saves.
 */
export function tileLook(prompt: string, params: Params): Readonly<Record<string, Value>> {
  const plain = Object.entries(PLAIN).filter(([field]) => field in params);
  const kept = Object.entries(params).filter(([field]) => KEPT.has(field));
  return { ...Object.fromEntries([...kept, ...plain]), prompt, width: params.width, height: params.height };
}
