/** What lies where on the stage, and where its inset is. Nothing here concerns what is on air. */

import type { Signal } from "@preact/signals";
import { flag, kept } from "../browser/kept";
import type { Layout } from "../program/mix";
import type { SourceKind } from "../sources/source";

/** Fills the stage, lies small on it, beside the other, over or under the other, or is not to be seen. */
export type Spot = "main" | "inset" | "half" | "over" | "gone";

export interface Arrangement {
  input: Spot;
  output: Spot;
}

/** Where an inset is: shares of the room beside it that are on its left, and above. */
export interface InsetPlace {
  readonly x: number;
  readonly y: number;
}

/** In the order in which Enter goes through them. */
const CORNERS: readonly InsetPlace[] = [
  { x: 0, y: 1 },
  { x: 0, y: 0 },
  { x: 1, y: 0 },
  { x: 1, y: 1 },
];

/** @param hasInput whether one is chosen: else its choices lie over the empty stage. */
export function arranged(layout: Layout, isSwapped: boolean, hasInput: boolean): Arrangement {
  if (layout === "sideBySide") return { input: "half", output: "half" };
  if (!hasInput) return { input: "main", output: "main" };
  if (layout === "over") return { input: "over", output: "over" };
  if (layout === "outputOnly") return { input: "gone", output: "main" };
  return isSwapped ? { input: "main", output: "inset" } : { input: "inset", output: "main" };
}

/** Where messages go that would lie on the inset: to its left or right, or above; null where none is in their way. */
export function messagesAround({ x, y }: InsetPlace, hasInset: boolean): "left" | "right" | "above" | null {
  if (!hasInset || y < 0.5) return null;
  if (x < 0.25) return "right";
  return x > 0.75 ? "left" : "above";
}

/** The inset's place, its size and which picture it is. The browser keeps them. */
export class Inset {
  readonly place = kept<InsetPlace>("inset.place", placeFrom, CORNERS[0] as InsetPlace);
  readonly isLarge = kept("inset.large", flag, false);
  readonly #isSwapped = kept("inset.swapped", flag, false);
  /** By itself: paper wants to be large, a camera's picture small. */
  readonly #isDrawingSwapped = kept("inset.drawingSwapped", flag, true);

  /** Whether the input fills the stage, and the output is the inset. */
  isSwapped(kind: SourceKind | null): Signal<boolean> {
    return kind === "canvas" ? this.#isDrawingSwapped : this.#isSwapped;
  }

  moveTo(x: number, y: number): void {
    this.place.value = { x: clamped(x), y: clamped(y) };
  }

  /** The corner after the one that it is in or near. */
  nextCorner(): void {
    const { x, y } = this.place.peek();
    const nearest = CORNERS.findIndex((corner) => corner.x === Math.round(x) && corner.y === Math.round(y));
    this.place.value = CORNERS[(nearest + 1) % CORNERS.length] as InsetPlace;
  }
}

function clamped(share: number): number {
  return Math.min(1, Math.max(0, share));
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function placeFrom(value: unknown): InsetPlace | null {
  const { x, y } = (value ?? {}) as Partial<InsetPlace>;
  return isShare(x) && isShare(y) ? { x, y } : null;
}
