/** The tool in use with its colour, size and strength, kept by this browser. Knows no pointer. */

import { signal } from "@preact/signals";
import { flag, kept, oneOf, within } from "../browser/kept";
import { hex, readColour, readRecent, used } from "./colours";
import { SHORTER_SIDE_PX } from "./geometry";
import type { Brush } from "./marks";
import { copies, symmetries } from "./symmetry";

export const tools = [
  "brush",
  "eraser",
  "fill",
  "line",
  "rectangle",
  "ellipse",
  "polygon",
  "star",
  "pick",
  "lasso",
  "move",
  "hand",
] as const;
export type Tool = (typeof tools)[number];

export const SIZE_PERCENT = { min: 0.5, max: 25, step: 0.5 };
export const OPACITY_PERCENT = { min: 5, max: 100, step: 5 };
export const TOLERANCE_PERCENT = { min: 0, max: 60, step: 1 };
export const SOFTNESS_PERCENT = { min: 0, max: 100, step: 5 };
export const CORNERS = { min: 3, max: 12, step: 1 };

/** Tools without a size. */
const RINGLESS: ReadonlySet<Tool> = new Set(["pick", "fill", "lasso", "move", "hand"]);
const ERASER_FACTOR = 2;

export class Toolbox {
  readonly tool = signal<Tool>("brush");
  readonly colour = kept("colour", readColour, "#15161a");
  readonly recent = kept("colours", readRecent, []);
  /** In percent of the picture's shorter side. */
  readonly size = kept("brushSize", within(SIZE_PERCENT.min, SIZE_PERCENT.max), 3);
  /** In percent. */
  readonly opacity = kept("brushOpacity", within(OPACITY_PERCENT.min, OPACITY_PERCENT.max), 100);
  /** The largest difference of colours that are filled together, in percent. */
  readonly tolerance = kept("tolerance", within(TOLERANCE_PERCENT.min, TOLERANCE_PERCENT.max), 12);
  readonly fillsShapes = kept("fillsShapes", flag, false);
  /** How much of a brush's rim is soft, in percent. */
  readonly softness = kept("softness", within(SOFTNESS_PERCENT.min, SOFTNESS_PERCENT.max), 0);
  /** Of polygons, and the points of stars. */
  readonly corners = kept("corners", within(CORNERS.min, CORNERS.max), 5);
  readonly symmetry = kept("symmetry", oneOf(symmetries), "none");

  pick(colour: string): void {
    this.colour.value = colour;
    if (this.tool.peek() === "eraser" || this.tool.peek() === "pick") this.tool.value = "brush";
  }

  /** Takes the colour of a pixel, where there is one. */
  take([red = 0, green = 0, blue = 0, alpha = 0]: ArrayLike<number> & Iterable<number>): void {
    if (alpha > 0) this.colour.value = hex(red, green, blue);
  }

  nextSymmetry(): void {
    const next = symmetries.indexOf(this.symmetry.peek()) + 1;
    this.symmetry.value = symmetries[next % symmetries.length] ?? "none";
  }

  scaleSize(factor: number): void {
    const { min, max, step } = SIZE_PERCENT;
    const size = Math.round((this.size.peek() * factor) / step) * step;
    // At least a step: a small size times a factor may round to itself.
    const moved = size === this.size.peek() ? size + (factor > 1 ? step : -step) : size;
    this.size.value = Math.min(max, Math.max(min, moved));
  }

  /** The brush for a mark of this tool. Adds its colour to the recent ones. */
  brush(tool: Tool): Brush {
    const erases = tool === "eraser";
    if (!erases) this.recent.value = used(this.recent.peek(), this.colour.peek());
    const size_px = (this.size.peek() / 100) * SHORTER_SIDE_PX * (erases ? ERASER_FACTOR : 1);
    return {
      colour: this.colour.peek(),
      size_px,
      softness: this.softness.peek() / 100,
      ink: { opacity: this.opacity.peek() / 100, erases },
      copies: copies[this.symmetry.peek()],
    };
  }

  /** The pen's diameter in shares of the picture's shorter side; null for tools without a size. */
  get reach(): number | null {
    const tool = this.tool.peek();
    if (RINGLESS.has(tool)) return null;
    return (this.size.peek() / 100) * (tool === "eraser" ? ERASER_FACTOR : 1);
  }
}
