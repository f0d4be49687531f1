/** The pen on the drawing, whatever holds it: what is pressed, moved and lifted becomes marks. Knows no events. */

import { signal } from "@preact/signals";
import type { Drawing } from "./drawing";
import { boxAround, type Point } from "./geometry";
import type { Outline } from "./lasso";
import type { Mark, Scratch } from "./marks";
import type { PenPoint } from "./stroke";
import type { Tool, Toolbox } from "./toolbox";

export class Pen {
  /** Told whenever it draws. */
  onMove: () => void = () => {};
  /** The part of the active layer that is chosen; null: none is. */
  readonly selection = signal<Outline | null>(null);

  readonly #drawing: Drawing;
  readonly #toolbox: Toolbox;
  #scratch: Scratch | null = null;
  #mark: Mark | null = null;
  #kit: typeof import("./kit") | null = null;

  constructor(drawing: Drawing, toolbox: Toolbox) {
    this.#drawing = drawing;
    this.#toolbox = toolbox;
  }

  get isDown(): boolean {
    return this.#mark !== null;
  }

  /** Loads what marks are made with: before, a press draws nothing. */
  async prepare(): Promise<void> {
    this.#kit ??= await import("./kit");
  }

  /** The sheets have another size: what was prepared for the old one is of no use. */
  forgetScratch(): void {
    this.#scratch = null;
  }

  press(tool: Tool, at: PenPoint): void {
    if (tool === "hand") return;
    if (tool === "pick") return this.pick(at);
    if (!this.#kit) return;
    this.#drawing.showActive();
    if (tool !== "lasso") this.selection.value = null;
    this.#mark = this.#begin(this.#kit, tool, at);
    this.move([at], false);
  }

  /** @param isRegular whether shapes are held square or round, and a layer in the hand is scaled. */
  move(points: readonly PenPoint[], isRegular: boolean): void {
    this.onMove();
    this.#mark?.move(points, isRegular);
  }

  lift(): void {
    this.#mark?.end();
    this.#mark = null;
  }

  /** Takes back what is being drawn; returns whether anything was. */
  cancel(): boolean {
    const mark = this.#mark;
    mark?.cancel();
    this.#mark = null;
    return mark !== null;
  }

  /** Takes what is chosen out of its layer; returns whether anything was. */
  removeSelected(): boolean {
    const outline = this.selection.peek();
    if (!outline || this.isDown) return false;
    this.#drawing.commitPart(this.#drawing.lift(outline), null);
    this.selection.value = null;
    return true;
  }

  /** Chooses nothing any more; returns whether anything was. */
  deselect(): boolean {
    const had = this.selection.peek() !== null;
    this.selection.value = null;
    return had;
  }

  /** Takes the colour that is seen at a point. */
  pick(at: Point): void {
    const box = boxAround([at], 0);
    this.#toolbox.take(this.#drawing.read({ ...box, right: box.left + 1, bottom: box.top + 1 }).data);
  }

  /** Begins a mark; null for a fill, which is done at once. */
  #begin(kit: typeof import("./kit"), tool: Exclude<Tool, "hand" | "pick">, at: PenPoint): Mark | null {
    const [drawing, toolbox] = [this.#drawing, this.#toolbox];
    if (tool === "move") return new kit.ShiftMark(drawing);
    if (tool === "lasso") {
      const chosen = this.selection.peek();
      const isMoved = chosen && kit.isInside(chosen, at);
      return isMoved ? new kit.PartMark(drawing, this.selection, chosen) : new kit.OutlineMark(this.selection);
    }
    const scratch = (this.#scratch ??= { settled: drawing.newSurface(), whole: drawing.newSurface() });
    const brush = toolbox.brush(tool);
    switch (tool) {
      case "fill":
        kit.fillArea(drawing, scratch, brush, at, Math.round(toolbox.tolerance.peek() * 2.55));
        return null;
      case "brush":
      case "eraser":
        return brush.softness > 0 ? new kit.SoftMark(drawing, scratch, brush) : new kit.StrokeMark(drawing, scratch, brush);
      default: {
        const [isFilled, corners] = [toolbox.fillsShapes.peek(), toolbox.corners.peek()];
        return new kit.ShapeMark(drawing, scratch, brush, { kind: tool, isFilled, corners });
      }
    }
  }
}
