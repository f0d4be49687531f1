/** Undo and redo of the drawing: what its pixels and its stack of layers were. Composes nothing that is seen. */

import { computed, type Signal, signal } from "@preact/signals";
import { amend, emptyHistory, push, redo, undo } from "./history";
import type { Layers } from "./layers";
import type { Sheets } from "./sheets";
import type { Original, Tile } from "./surface";
import { TILE_BYTES } from "./tiles";

/** Undo's memory: enough for thirty strokes across half a square sheet, drawn over others. */
export const HISTORY_BYTES = 12 * 1024 * 1024;

/** Pixels of one layer as they were; undoing it puts the ones that are now in their place. */
interface PixelEdit {
  readonly kind: "pixels";
  readonly layerId: number;
  readonly tiles: Map<number, Tile>;
  /** And what the layer was made of, which is exchanged with them. */
  original: Original | null;
  /** Of what it was made of, if nothing else holds that. */
  readonly original_bytes: number;
  bytes: number;
}

interface LayerEdit {
  readonly kind: "layers";
  readonly before: Layers;
  readonly after: Layers;
  /** Edits in a row of the same thing, as by a slider, are one. */
  readonly what: string;
  readonly bytes: number;
}

export class Edits {
  readonly canUndo = computed(() => this.#history.value.done.length > 0);
  readonly canRedo = computed(() => this.#history.value.undone.length > 0);

  readonly #layers: Signal<Layers>;
  readonly #sheets: Sheets;
  readonly #history = signal(emptyHistory<PixelEdit | LayerEdit>());
  /** Layers whose pixels have changed since somebody asked. */
  readonly #touched = new Set<number>();

  constructor(layers: Signal<Layers>, sheets: Sheets) {
    this.#layers = layers;
    this.#sheets = sheets;
  }

  /**
   * Keeps tiles of a layer as they are, before they are changed.
   *
   * @param original what the layer is made of from now on: of nothing else than its pixels once it was drawn on.
   */
  keep(layerId: number, numbers: Iterable<number>, original: Original | null = null): void {
    const sheet = this.#sheets.get(layerId);
    const tiles = new Map([...numbers].map((tile) => [tile, sheet.readTile(tile)]));
    const before = this.#sheets.originalOf(layerId);
    this.#sheets.setOriginal(layerId, original);
    this.touch(layerId);
    const isOnlyHere = before !== null && before.image !== original?.image;
    const original_bytes = isOnlyHere ? this.#sheets.bytes : 0;
    const bytes = original_bytes + bytesOf(tiles.values());
    this.#push({ kind: "pixels", layerId, tiles, original: before, original_bytes, bytes });
  }

  /**
   * Changes the stack of layers.
   *
   * @param what the kind of change: slides of one thing in a row are undone as one.
   * @returns whether anything changed.
   */
  arrange(what: string, rearrange: (layers: Layers) => Layers): boolean {
    const before = this.#layers.peek();
    const after = rearrange(before);
    if (after === before) return false;
    const others = after.stack.filter(({ id }) => !before.stack.some((layer) => layer.id === id)).length;
    const gone = before.stack.length - (after.stack.length - others);
    const last = this.#history.peek().done.at(-1);
    const goesOn = last?.kind === "layers" && last.what === what && what.startsWith("slide");
    if (goesOn) this.#history.value = amend(this.#history.peek(), { ...last, after });
    else this.#push({ kind: "layers", before, after, what, bytes: this.#sheets.bytes * (gone + others) });
    this.#layers.value = after;
    return true;
  }

  /** @returns whether there was anything to undo. */
  undo(): boolean {
    const edit = this.#history.peek().done.at(-1);
    if (!edit) return false;
    this.#history.value = undo(this.#history.peek());
    this.#apply(edit, "before");
    return true;
  }

  /** @returns whether there was anything to do again. */
  redo(): boolean {
    const edit = this.#history.peek().undone.at(-1);
    if (!edit) return false;
    this.#history.value = redo(this.#history.peek());
    this.#apply(edit, "after");
    return true;
  }

  /** A layer's pixels have changed. */
  touch(layerId: number): void {
    this.#touched.add(layerId);
  }

  /** The layers whose pixels have changed since this was asked last. */
  takeTouched(): number[] {
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  #apply(edit: PixelEdit | LayerEdit, state: "before" | "after"): void {
    if (edit.kind === "layers") {
      this.#layers.value = edit[state];
      return;
    }
    const sheet = this.#sheets.get(edit.layerId);
    for (const [tile, pixels] of edit.tiles) {
      edit.tiles.set(tile, sheet.readTile(tile));
      sheet.writeTile(tile, pixels);
    }
    edit.bytes = edit.original_bytes + bytesOf(edit.tiles.values());
    const original = this.#sheets.originalOf(edit.layerId);
    this.#sheets.setOriginal(edit.layerId, edit.original);
    edit.original = original;
    this.touch(edit.layerId);
  }

  #push(edit: PixelEdit | LayerEdit): void {
    this.#history.value = push(this.#history.peek(), edit, HISTORY_BYTES);
    const { done } = this.#history.peek();
    const reachable = done.flatMap((each) => (each.kind === "layers" ? [each.before, each.after] : []));
    this.#sheets.keepOnly([this.#layers.peek(), ...reachable]);
  }
}

/** Tiles of one colour weigh next to nothing. */
function bytesOf(tiles: Iterable<Tile>): number {
  let bytes = 0;
  for (const tile of tiles) if (typeof tile !== "number") bytes += TILE_BYTES;
  return bytes;
}
