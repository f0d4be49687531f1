/** This moment's picture at several strengths, for as long as somebody compares them. */

import { signal } from "@preact/signals";
import { painted } from "../browser/painted";
import { STRENGTHS } from "../looks/preview";
import { type Frame, mimeTypes } from "../protocol";

export class Tries {
  readonly isBusy = signal(false);
  /** One for each strength, null until it is made; null altogether where nobody compares. */
  readonly pictures = signal<readonly (HTMLCanvasElement | null)[] | null>(null);

  readonly #make: (onPicture: (index: number, frame: Frame) => void) => Promise<boolean>;

  /** @param make resolves with whether there was something to try on, once all pictures have been reported. */
  constructor(make: (onPicture: (index: number, frame: Frame) => void) => Promise<boolean>) {
    this.#make = make;
  }

  async run(): Promise<void> {
    this.isBusy.value = true;
    this.pictures.value = STRENGTHS.map(() => null);
    const isMade = await this.#make((index, frame) => void this.#put(index, frame));
    if (!isMade) this.close();
    this.isBusy.value = false;
  }

  close(): void {
    this.pictures.value = null;
  }

  async #put(at: number, frame: Frame): Promise<void> {
    const canvas = await painted(new Blob([frame.payload], { type: mimeTypes[frame.format] }));
    this.pictures.value = this.pictures.peek()?.map((each, index) => (index === at ? canvas : each)) ?? null;
  }
}
