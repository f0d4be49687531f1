/** Keeps the drawing in this browser, so that neither a reload nor a crash takes it. Knows no tool and no undo. */

import type { Clock } from "../browser/clock";
import { noteKept } from "../browser/kept";
import type { Drawing } from "./drawing";
import type { Layers } from "./layers";

/** A drawing as it is kept: the pixels of each layer that has any, as a PNG. */
export interface KeptDrawing {
  layers: Layers;
  sheets: ReadonlyMap<number, Blob>;
}

export interface DrawingStore {
  /** The drawing that was kept last; null where there is none. */
  read(): Promise<KeptDrawing | null>;
  write(kept: KeptDrawing): Promise<void>;
}

export interface KeeperOptions {
  drawing: Pick<Drawing, "layers" | "restore" | "takeTouched" | "png">;
  store: DrawingStore;
  clock: Clock;
  decode: (png: Blob) => Promise<ImageBitmap>;
}

/** Longer than a pen is lifted between two strokes: compressing takes time from whoever draws. */
const REST_MS = 700;
const NAME = "drawing";

export class Keeper {
  readonly #options: KeeperOptions;
  #sheets: ReadonlyMap<number, Blob> = new Map();
  /** Until what was kept is back, nothing takes its place. */
  #isRestored = false;
  #isWriting = false;
  #callOff: (() => void) | null = null;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Brings back what was kept, once. */
  async restore(): Promise<void> {
    if (this.#isRestored) return;
    const { drawing, store, decode } = this.#options;
    try {
      const kept = await store.read();
      if (kept) {
        const decoded = [...kept.sheets].map(async ([id, png]) => [id, await decode(png)] as const);
        drawing.restore(kept.layers, new Map(await Promise.all(decoded)));
        this.#sheets = kept.sheets;
      }
    } catch (error) {
      noteKept(NAME, error);
    }
    this.#isRestored = true;
  }

  /** The drawing has changed: it is kept when it rests. */
  readonly changed = (): void => {
    if (!this.#isRestored) return;
    this.#callOff?.();
    this.#callOff = this.#options.clock.after(REST_MS, this.save);
  };

  /** Keeps what has changed, now: the page may be about to go. */
  readonly save = async (): Promise<void> => {
    if (!this.#callOff || this.#isWriting) return;
    this.#callOff();
    this.#callOff = null;
    this.#isWriting = true;
    try {
      await this.#write();
      noteKept(NAME);
    } catch (error) {
      // Full, or forbidden as in a private window: the drawing lasts as long as the page.
      noteKept(NAME, error);
    }
    this.#isWriting = false;
    // What came meanwhile has a rest of its own, unless that has passed already.
    if (this.#callOff) this.changed();
  };

  async #write(): Promise<void> {
    const { drawing, store } = this.#options;
    const layers = drawing.layers.peek();
    const sheets = new Map(this.#sheets);
    for (const id of drawing.takeTouched()) {
      const png = await drawing.png(id);
      if (png) sheets.set(id, png);
    }
    this.#sheets = sheets;
    const ids = new Set(layers.stack.map(({ id }) => id));
    await store.write({ layers, sheets: new Map([...sheets].filter(([id]) => ids.has(id))) });
  }
}
