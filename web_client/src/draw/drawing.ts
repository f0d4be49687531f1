/** The drawing: layers and their pixels, the composed picture, undo. Knows no pointer and no tool. */

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { Edits } from "./edits";
import { type Box, boxAround, clip, type Point, type Shift, sheetSize, union, UNMOVED } from "./geometry";
import { activeLayer, addAbove, change, isFull, type Layer, type Layers, oneLayer } from "./layers";
import { Sheets } from "./sheets";
import { BLANK, type Original, polygonOf, Surface } from "./surface";
import { tilesIn, wholeTiles } from "./tiles";

const PAPER = "#ffffff";
const PAPER_PIXEL = 0xffffffff;

/** How a mark becomes part of a layer. */
export interface Ink {
  readonly opacity: number;
  readonly erases: boolean;
}

/** A part of the active layer, and what is left of it. */
export interface Part {
  readonly lifted: Surface;
  readonly rest: Surface;
  /** Around the part. */
  readonly box: Box;
}

export class Drawing {
  readonly layers = signal<Layers>(oneLayer(1));
  /** The active layer's shift from where it was made. */
  readonly shift = computed(() => this.#sheets.originalOf(this.layers.value.activeId)?.shift ?? UNMOVED);

  /** The composed picture, shown and sent. Desynchronized where browsers can: strokes don't wait for the page. */
  readonly #view = new Surface(1, 1, { alpha: false, desynchronized: true });
  readonly #sheets = new Sheets();
  readonly #edits = new Edits(this.layers, this.#sheets);
  /** The active layer with an unfinished mark on it. */
  readonly #preview = new Surface(1, 1);
  /** What is seen in the active layer's place; null: itself. */
  #active: Surface | null = null;
  #paint: Surface | null = null;
  /** Where something else than paper was seen last; null: nowhere outside of what wasn't looked at since. */
  #ink: Point | null = null;
  #unlooked: Box | null = null;
  readonly #onChange: () => void;
  #lastId = 1;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.resize(1, 1);
  }

  get canUndo(): ReadonlySignal<boolean> {
    return this.#edits.canUndo;
  }

  get canRedo(): ReadonlySignal<boolean> {
    return this.#edits.canRedo;
  }

  get canvas(): HTMLCanvasElement {
    return this.#view.canvas;
  }

  /** The visible part of the sheet, from its centre. */
  get box(): Box {
    return this.#view.box;
  }

  /** All of a layer, also what lies out of sight. */
  get sheetBox(): Box {
    return this.#preview.box;
  }

  /** The pixels that are seen. */
  read(box = this.box): ImageData {
    return this.#view.read(box);
  }

  /** Whether nothing but paper is seen. */
  get isBlank(): boolean {
    const { box } = this;
    const ink = this.#ink && clip(boxAround([this.#ink, { x: this.#ink.x + 1, y: this.#ink.y + 1 }], 0), box);
    if (ink && this.#view.find(ink, PAPER_PIXEL)) return false;
    const unlooked = this.#ink ? box : this.#unlooked && clip(this.#unlooked, box);
    this.#ink = unlooked && this.#view.find(unlooked, PAPER_PIXEL);
    this.#unlooked = null;
    return this.#ink === null;
  }

  /** What is seen, without the paper under it. The next call draws over it. */
  painted(): HTMLCanvasElement {
    const { width, height } = this.canvas;
    const paint = (this.#paint ??= new Surface(width, height));
    if (paint.canvas.width === width && paint.canvas.height === height) paint.clear(paint.box);
    else paint.resize(width, height);
    this.#layAll(paint, this.box);
    return paint.canvas;
  }

  /** Takes a picture's shape. What lies outside of it is kept, out of sight. */
  resize(width: number, height: number): void {
    const size = sheetSize(width, height);
    if (this.canvas.width === size.width && this.canvas.height === size.height) return;
    this.#view.resize(size.width, size.height);
    this.#growSheets(wholeTiles(size.width), wholeTiles(size.height));
    this.refresh();
  }

  /** A surface as large as a layer. */
  newSurface(): Surface {
    return this.#sheets.newSurface();
  }

  /** Shows a mark on the active layer before it is finished. */
  preview(mark: Surface, ink: Ink, boxes: readonly Box[]): void {
    const layer = this.#sheets.get(this.layers.peek().activeId);
    for (const box of boxes) {
      const part = clip(box, this.box);
      if (!part) continue;
      this.#preview.clear(part);
      this.#preview.blit(layer, part);
      this.#preview.blit(mark, part, ink.opacity, ink.erases ? "destination-out" : "source-over");
      this.#compose(part, this.#preview);
    }
    this.#onChange();
  }

  /** Makes a mark part of the active layer. `boxes` together hold all of it; undo keeps what it really touches. */
  commit(mark: Surface, ink: Ink, boxes: readonly Box[]): void {
    const layerId = this.layers.peek().activeId;
    const sheet = this.#sheets.get(layerId);
    const parts = boxes.flatMap((box) => clip(box, sheet.box) ?? []);
    const tiles = [...new Set(parts.flatMap(tilesIn))].filter((tile) => mark.readTile(tile) !== BLANK);
    if (tiles.length === 0) return;
    this.#edits.keep(layerId, tiles);
    const whole = parts.reduce<Box | null>(union, null) as Box;
    sheet.blit(mark, whole, ink.opacity, ink.erases ? "destination-out" : "source-over");
    this.#compose(whole);
    this.#onChange();
  }

  /** Shows everything as it is: an unfinished mark is gone. */
  refresh(): void {
    this.#compose(this.box);
    this.#onChange();
  }

  /** Takes the part inside an outline out of the active layer, for the eye alone. */
  lift(outline: readonly Point[]): Part {
    const layer = this.#sheets.get(this.layers.peek().activeId);
    const mask = polygonOf(outline);
    const [lifted, rest] = [this.newSurface(), this.newSurface()];
    for (const surface of [lifted, rest]) surface.blit(layer, layer.box);
    lifted.cut(mask, "destination-in");
    rest.cut(mask, "destination-out");
    return { lifted, rest, box: boxAround(outline, 1) };
  }

  /** Shows a part of the active layer elsewhere before it is put there; without a place, the layer without it. */
  previewPart({ lifted, rest }: Part, by: Point | null): void {
    const { width, height } = lifted.canvas;
    this.#preview.clear(this.#preview.box);
    this.#preview.blit(rest, rest.box);
    if (by) {
      const shift = { dx: by.x, dy: by.y, scale: 1 };
      this.#preview.lay({ image: lifted.canvas, width, height, shift });
    }
    this.#compose(this.box, this.#preview);
    this.#onChange();
  }

  /** Puts a part of the active layer elsewhere; without a place, it is gone. */
  commitPart(part: Part, by: Point | null): void {
    const { activeId } = this.layers.peek();
    const sheet = this.#sheets.get(activeId);
    this.previewPart(part, by);
    const { left, top, right, bottom } = part.box;
    const { x, y } = by ?? { x: 0, y: 0 };
    const boxes = [part.box, { left: left + x, top: top + y, right: right + x, bottom: bottom + y }];
    const tiles = new Set(boxes.flatMap((box) => tilesIn(clip(box, sheet.box) ?? { left: 0, top: 0, right: 0, bottom: 0 })));
    this.#edits.keep(activeId, tiles);
    sheet.clear(sheet.box);
    sheet.blit(this.#preview, sheet.box);
    this.refresh();
  }

  /** Shows the active layer somewhere before it is put there. */
  previewShift(shift: Shift): void {
    this.#preview.clear(this.#preview.box);
    this.#preview.lay({ ...this.#sheets.original(this.layers.peek().activeId), shift });
    this.#compose(this.box, this.#preview);
    this.#onChange();
  }

  /** Puts the active layer somewhere. */
  commitShift(shift: Shift): void {
    const { activeId } = this.layers.peek();
    const sheet = this.#sheets.get(activeId);
    const original = this.#sheets.original(activeId);
    this.previewShift(shift);
    const hasInk = (tile: number) => sheet.readTile(tile) !== BLANK || this.#preview.readTile(tile) !== BLANK;
    this.#edits.keep(activeId, tilesIn(sheet.box).filter(hasInk), { ...original, shift });
    sheet.clear(sheet.box);
    sheet.blit(this.#preview, sheet.box);
    this.refresh();
  }

  clearLayer(): void {
    const { activeId } = this.layers.peek();
    const sheet = this.#sheets.get(activeId);
    const used = tilesIn(sheet.box).filter((tile) => sheet.readTile(tile) !== BLANK);
    if (used.length === 0) return;
    this.#edits.keep(activeId, used);
    sheet.clear(sheet.box);
    this.refresh();
  }

  addLayer(): void {
    if (isFull(this.layers.peek())) return;
    this.arrange("add", (layers) => addAbove(layers, ++this.#lastId));
  }

  /** Above the active layer, and active itself. @returns whether there was room for one more. */
  addPicture(image: CanvasImageSource, width: number, height: number): boolean {
    if (isFull(this.layers.peek())) return false;
    const id = ++this.#lastId;
    const scale = Math.max(this.canvas.width / width, this.canvas.height / height);
    const original = { image, width: width * scale, height: height * scale, shift: UNMOVED };
    this.#sheets.get(id).lay(original);
    this.#sheets.setOriginal(id, original);
    this.#edits.touch(id);
    this.arrange("picture", (layers) => addAbove(layers, id, "picture"));
    return true;
  }

  /** An empty sheet of paper. The way back is undo. */
  begin(): void {
    this.arrange("begin", () => oneLayer(++this.#lastId));
  }

  /** Puts others in the place of all layers, the lowest first. The way back is undo. */
  replace(pictures: readonly (Original & Pick<Layer, "isVisible" | "opacity">)[]): void {
    const stack = pictures.map(({ isVisible, opacity, ...original }): Layer => {
      const id = ++this.#lastId;
      this.#sheets.get(id).lay(original);
      this.#edits.touch(id);
      return { id, kind: "drawing", isVisible, opacity };
    });
    const activeId = stack.at(-1)?.id;
    if (activeId !== undefined) this.arrange("begin", () => ({ stack, activeId }));
  }

  /** Takes the place of an empty drawing. What somebody has begun meanwhile stays. */
  restore(layers: Layers, sheets: ReadonlyMap<number, ImageBitmap>): void {
    if (this.canUndo.peek()) return;
    for (const [id, image] of sheets) {
      const { width, height } = image;
      this.#growSheets(width, height);
      this.#sheets.get(id).lay({ image, width, height, shift: UNMOVED });
    }
    this.#lastId = Math.max(...layers.stack.map(({ id }) => id));
    this.layers.value = layers;
    this.refresh();
  }

  /** The layers whose pixels have changed since this was asked last. */
  takeTouched(): number[] {
    return this.#edits.takeTouched();
  }

  /** All pixels of a layer; null where nothing was ever drawn on it. */
  async png(layerId: number): Promise<Blob | null> {
    const canvas = this.#sheets.find(layerId)?.canvas;
    return canvas ? new Promise((resolve) => canvas.toBlob(resolve, "image/png")) : null;
  }

  /** Changes the stack of layers in a way that can be undone. */
  arrange(what: string, rearrange: (layers: Layers) => Layers): void {
    if (this.#edits.arrange(what, rearrange)) this.refresh();
  }

  /** Choosing the layer to draw on is nothing to undo. */
  select(layers: Layers): void {
    this.layers.value = layers;
  }

  /** Shows the active layer if it is hidden, before something is drawn on it. */
  showActive(): void {
    const { id, isVisible } = activeLayer(this.layers.peek());
    if (!isVisible) this.arrange("show", (layers) => change(layers, id, { isVisible: true }));
  }

  undo(): void {
    if (this.#edits.undo()) this.refresh();
  }

  redo(): void {
    if (this.#edits.redo()) this.refresh();
  }

  #growSheets(width: number, height: number): void {
    this.#sheets.grow(width, height);
    const { width: whole, height: high } = this.#sheets;
    if (this.#preview.canvas.width !== whole || this.#preview.canvas.height !== high) this.#preview.resize(whole, high);
  }

  #compose(box: Box, active: Surface | null = null): void {
    const part = clip(box, this.box);
    this.#active = active;
    if (!part) return;
    this.#unlooked = union(this.#unlooked, part);
    this.#view.fillBox(part, PAPER);
    this.#layAll(this.#view, part);
  }

  #layAll(to: Surface, part: Box): void {
    const { stack, activeId } = this.layers.peek();
    for (const { id, isVisible, opacity } of stack) {
      const surface = (id === activeId ? this.#active : null) ?? this.#sheets.find(id);
      if (isVisible && surface) to.blit(surface, part, opacity);
    }
  }
}
