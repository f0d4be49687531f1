/** Has the drawing restyled once, at several times its size, and saves that. Draws nothing. */

import { signal } from "@preact/signals";
import { sessionName } from "../connection/session";
import { fetchStillProgress, makeStill, type StillProgress } from "../connection/stills";
import type { Client } from "./client";

const SCALES = [2, 3, 4, 5, 6, 8] as const;
/** More than this only as far as it is wanted: of a picture that is small when it is live. */
const USUAL_SCALE = 4;
/** As large as the server makes one. */
const MOST_PIXELS = 4096 * 4096;
/** What is printed or shown large wants this much of its shorter side. */
const WANTED_PX = 2048;
const LOOK_MS = 400;

/** The scales that a picture of this size can be had at, and the one that is best for most. */
export function scalesOf(width: number, height: number): { scales: number[]; best: number } {
  const side = Math.min(width, height);
  const isOffered = (scale: number, index: number) =>
    width * height * scale ** 2 <= MOST_PIXELS && (scale <= USUAL_SCALE || side * (SCALES[index - 1] ?? 0) < WANTED_PX);
  const scales = SCALES.filter(isOffered);
  const best = scales.find((scale) => side * scale >= WANTED_PX) ?? scales.at(-1) ?? SCALES[0];
  return { scales, best };
}

export class LargeStill {
  /** Parts that are done, of all; null while nothing is being made. */
  readonly progress = signal<StillProgress | null>(null);

  readonly #client: Client;
  #abort: AbortController | null = null;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Makes and saves one, unless one is being made. What goes wrong is mentioned. */
  async save(scale: number): Promise<void> {
    if (this.#abort) return;
    const { inputs, problems } = this.#client;
    const abort = (this.#abort = new AbortController());
    this.progress.value = { done: 0, of: 1 };
    const watching = setInterval(() => void this.#look(abort.signal), LOOK_MS);
    try {
      const drawing = await inputs.canvas?.png();
      if (!drawing) throw new Error("no picture");
      this.#client.save(await makeStill(sessionName(), drawing, scale, abort.signal), "drawing-large", "png");
    } catch (error) {
      if (!abort.signal.aborted) problems.mention("stillFailed", (error as Error).message);
    }
    clearInterval(watching);
    this.#abort = null;
    this.progress.value = null;
  }

  cancel(): void {
    this.#abort?.abort();
  }

  async #look(abort: AbortSignal): Promise<void> {
    const progress = await fetchStillProgress(sessionName()).catch(() => null);
    if (progress && this.#abort?.signal === abort) this.progress.value = progress;
  }
}
