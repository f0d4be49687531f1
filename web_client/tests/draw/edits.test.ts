import { type Signal, signal } from "@preact/signals";
import { beforeEach, expect, test } from "vitest";
import { Edits } from "../../src/draw/edits";
import { addAbove, change, type Layers, oneLayer } from "../../src/draw/layers";
import type { Sheets } from "../../src/draw/sheets";
import type { Original, Tile } from "../../src/draw/surface";

/** The sheets of layers, a tile of which is one number. */
class FakeSheets {
  readonly bytes = 4 * 1024 * 1024;
  readonly tiles = new Map<string, Tile>();
  readonly originals = new Map<number, Original | null>();
  kept: readonly Layers[] = [];

  get(id: number) {
    return {
      readTile: (tile: number) => this.tiles.get(`${id} ${tile}`) ?? 0,
      writeTile: (tile: number, content: Tile) => this.tiles.set(`${id} ${tile}`, content),
    };
  }

  originalOf(id: number): Original | null {
    return this.originals.get(id) ?? null;
  }

  setOriginal(id: number, original: Original | null): void {
    this.originals.set(id, original);
  }

  keepOnly(reachable: readonly Layers[]): void {
    this.kept = reachable;
  }
}

let layers: Signal<Layers>;
let sheets: FakeSheets;
let edits: Edits;

beforeEach(() => {
  layers = signal(oneLayer(1));
  sheets = new FakeSheets();
  edits = new Edits(layers, sheets as unknown as Sheets);
});

function paint(layerId: number, tile: number, pixel: number): void {
  edits.keep(layerId, [tile]);
  sheets.get(layerId).writeTile(tile, pixel);
}

test("pixels go back and forth", () => {
  paint(1, 7, 0xff);
  paint(1, 7, 0xaa);
  expect(edits.undo()).toBe(true);
  expect(sheets.get(1).readTile(7)).toBe(0xff);
  expect(edits.undo()).toBe(true);
  expect(sheets.get(1).readTile(7)).toBe(0);
  expect([edits.undo(), edits.canUndo.value, edits.canRedo.value]).toEqual([false, false, true]);
  edits.redo();
  edits.redo();
  expect(sheets.get(1).readTile(7)).toBe(0xaa);
  expect(edits.redo()).toBe(false);
});

test("what a layer was made of comes back with its pixels", () => {
  const picture = { image: {} } as Original;
  sheets.setOriginal(1, picture);
  paint(1, 7, 0xff);
  expect(sheets.originalOf(1)).toBeNull();
  edits.undo();
  expect(sheets.originalOf(1)).toBe(picture);
  edits.redo();
  expect(sheets.originalOf(1)).toBeNull();
});

test("the stack of layers goes back, and layers that can come back keep their pixels", () => {
  const before = layers.value;
  expect(edits.arrange("add", (stack) => addAbove(stack, 2))).toBe(true);
  expect(layers.value.activeId).toBe(2);
  expect(sheets.kept).toContain(before);
  edits.undo();
  expect(layers.value).toBe(before);
});

test("a change of nothing is nothing to undo", () => {
  expect(edits.arrange("show", (stack) => stack)).toBe(false);
  expect(edits.canUndo.value).toBe(false);
});

test("a slider that goes on moving is undone as one, another one by itself", () => {
  const before = layers.value;
  for (const opacity of [0.9, 0.5, 0.1]) edits.arrange("slide 1", (stack) => change(stack, 1, { opacity }));
  edits.arrange("slide 2", (stack) => change(stack, 1, { opacity: 0 }));
  edits.undo();
  expect(layers.value.stack[0]?.opacity).toBe(0.1);
  edits.undo();
  expect(layers.value).toBe(before);
});

test("layers whose pixels change, undone ones too, are told once", () => {
  paint(1, 7, 0xff);
  paint(2, 7, 0xff);
  expect(edits.takeTouched()).toEqual([1, 2]);
  expect(edits.takeTouched()).toEqual([]);
  edits.undo();
  expect(edits.takeTouched()).toEqual([2]);
});
