/** Holds the layers' pixels, and of what a moved layer was made. Knows no order of layers. */

import { signal } from "@preact/signals";
import { UNMOVED } from "./geometry";
import type { Layers } from "./layers";
import { type Original, Surface } from "./surface";

export class Sheets {
  readonly #surfaces = new Map<number, Surface>();
  readonly #originals = signal<ReadonlyMap<number, Original>>(new Map());
  #width = 1;
  #height = 1;

  get width(): number {
    return this.#width;
  }

  get height(): number {
    return this.#height;
  }

  /** The memory of one layer's pixels. */
  get bytes(): number {
    return this.#width * this.#height * 4;
  }

  /** Makes all of them at least this large. Nothing on them is lost. */
  grow(width: number, height: number): void {
    if (width <= this.#width && height <= this.#height) return;
    this.#width = Math.max(width, this.#width);
    this.#height = Math.max(height, this.#height);
    for (const [id, old] of this.#surfaces) {
      const sheet = this.newSurface();
      sheet.blit(old, old.box);
      this.#surfaces.set(id, sheet);
    }
  }

  /** A surface as large as a layer. */
  newSurface(): Surface {
    return new Surface(this.#width, this.#height);
  }

  /** Nothing where nothing was ever drawn. */
  find(id: number): Surface | undefined {
    return this.#surfaces.get(id);
  }

  get(id: number): Surface {
    let sheet = this.#surfaces.get(id);
    if (!sheet) this.#surfaces.set(id, (sheet = this.newSurface()));
    return sheet;
  }

  /** Null where the layer's pixels are all that there is of it. */
  originalOf(id: number): Original | null {
    return this.#originals.value.get(id) ?? null;
  }

  setOriginal(id: number, original: Original | null): void {
    if (original === (this.#originals.peek().get(id) ?? null)) return;
    const originals = new Map(this.#originals.peek());
    if (original) originals.set(id, original);
    else originals.delete(id);
    this.#originals.value = originals;
  }

  /** The original that a move begins with: the imported picture, or else a copy of the layer's pixels. */
  original(id: number): Original {
    const known = this.#originals.peek().get(id);
    if (known) return known;
    const copy = this.newSurface();
    copy.blit(this.get(id), copy.box);
    const original = { image: copy.canvas, width: this.#width, height: this.#height, shift: UNMOVED };
    this.setOriginal(id, original);
    return original;
  }

  /** Forgets the pixels of layers that nothing brings back. */
  keepOnly(reachable: readonly Layers[]): void {
    const ids = new Set(reachable.flatMap(({ stack }) => stack.map(({ id }) => id)));
    for (const id of this.#surfaces.keys()) if (!ids.has(id)) this.#surfaces.delete(id);
    for (const id of this.#originals.peek().keys()) if (!ids.has(id)) this.setOriginal(id, null);
  }
}
