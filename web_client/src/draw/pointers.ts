/** Shows where the pen is, a ring under a pointer or the keyboard's cross, and what is chosen. Hears no events. */

import type { Box, Point } from "./geometry";
import type { Place } from "./place";

const SMALLEST_RING_PX = 4;
const SVG = "http://www.w3.org/2000/svg";

export class Pointers {
  readonly ring = document.createElement("div");
  readonly cross = document.createElement("div");
  readonly outline = document.createElementNS(SVG, "svg");

  constructor() {
    this.ring.className = "brush-ring";
    this.cross.className = "cross";
    this.outline.classList.add("outline");
    // One line over another, so that it shows on any colour.
    this.outline.append(document.createElementNS(SVG, "path"), document.createElementNS(SVG, "path"));
  }

  /** @param points from the centre of the sheet's visible part, `box`; null hides it. */
  showOutline(points: readonly Point[] | null, { left, top, right, bottom }: Box): void {
    this.outline.toggleAttribute("hidden", points === null);
    if (!points) return;
    this.outline.setAttribute("viewBox", `${left} ${top} ${right - left} ${bottom - top}`);
    const path = points.length > 0 ? `M${points.map(({ x, y }) => `${x} ${y}`).join("L")}Z` : "";
    for (const line of this.outline.children) line.setAttribute("d", path);
  }

  /** @param reach the ring's diameter in shares of the pane's shorter side, magnified; null hides it. */
  showRing(event: PointerEvent, pane: DOMRect, reach: number | null): void {
    this.ring.hidden = reach === null || event.pointerType === "touch";
    if (reach === null) return;
    const diameter_px = Math.max(SMALLEST_RING_PX, reach * Math.min(pane.width, pane.height));
    const { style } = this.ring;
    const [x, y] = [event.clientX - pane.left - diameter_px / 2, event.clientY - pane.top - diameter_px / 2];
    style.width = style.height = `${diameter_px}px`;
    style.transform = `translate(${x}px, ${y}px)`;
  }

  /** @param at in shares of the picture, from its centre; null hides the cross. */
  showCross(at: Point | null, { zoom, x, y }: Place): void {
    this.cross.hidden = at === null;
    if (!at) return;
    this.cross.style.left = `${(x + (at.x + 0.5) * zoom) * 100}%`;
    this.cross.style.top = `${(y + (at.y + 0.5) * zoom) * 100}%`;
  }
}
