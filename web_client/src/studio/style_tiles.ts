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
const PLAIN: Readonly<Record<string, Value>> = { matte: "off", feedback: 0, calm: 0, seed_travel: 0, negative_prompt: "" };
const KEPT = new Set(["strength", "num_inference_steps", "seed"]);
/** How often the making of one source's tiles may break off: a busy server is slow, and one that is full stays so. */
const TRIES = 5;

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
   * @returns whether they are or will be; false where it has to be tried again: there is no picture yet, or it broke off.
   */
  async follow(source: TileSource, styles: readonly Phrase[], params: Params): Promise<boolean> {
    if (source.name === this.#madeOf) return true;
    const jpeg = await source.jpeg(params.width, params.height);
    if (!jpeg) return false;
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
    if (this.#running !== abort) return true; // another source's are being made
    this.isBusy.value = false;
    // A server without a place for it has none for tiles: the styles have their names.
    if (isWhole || ++this.#brokenOff >= TRIES) return true;
    this.#madeOf = null;
    return false;
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
