/** The pen on the drawing, whatever holds it: what is pressed, moved and lifted becomes marks. Knows no events. */

import type { Drawing } from "./drawing";
import { boxAround, type Point } from "./geometry";
import { fillArea, type Mark, type Scratch, ShapeMark, ShiftMark, StrokeMark } from "./marks";
import type { PenPoint } from "./stroke";
import type { Tool, Toolbox } from "./toolbox";

export class Pen {
  /** Told whenever it draws. */
  onMove: () => void = () => {};

  readonly #drawing: Drawing;
  readonly #toolbox: Toolbox;
  #scratch: Scratch | null = null;
  #mark: Mark | null = null;

  constructor(drawing: Drawing, toolbox: Toolbox) {
    this.#drawing = drawing;
    this.#toolbox = toolbox;
  }

  get isDown(): boolean {
    return this.#mark !== null;
  }

  /** The sheets have another size: what was prepared for the old one is of no use. */
  forgetScratch(): void {
    this.#scratch = null;
  }

  press(tool: Tool, at: PenPoint): void {
    if (tool === "hand") return;
    if (tool === "pick") return this.pick(at);
    this.#drawing.showActive();
    this.#mark = tool === "move" ? new ShiftMark(this.#drawing) : this.#begin(tool, at);
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

  /** Takes the colour that is seen at a point. */
  pick(at: Point): void {
    const box = boxAround([at], 0);
    this.#toolbox.take(this.#drawing.read({ ...box, right: box.left + 1, bottom: box.top + 1 }).data);
  }

  /** Begins a mark; null for a fill, which is done at once. */
  #begin(tool: Exclude<Tool, "hand" | "pick" | "move">, at: PenPoint): Mark | null {
    const [drawing, toolbox] = [this.#drawing, this.#toolbox];
    const scratch = (this.#scratch ??= { settled: drawing.newSurface(), whole: drawing.newSurface() });
    const brush = toolbox.brush(tool);
    switch (tool) {
      case "fill":
        fillArea(drawing, scratch, brush, at, Math.round(toolbox.tolerance.peek() * 2.55));
        return null;
      case "brush":
      case "eraser":
        return new StrokeMark(drawing, scratch, brush);
      default:
        return new ShapeMark(drawing, scratch, brush, tool, toolbox.fillsShapes.peek());
    }
  }
}
