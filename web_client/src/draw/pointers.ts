/** Shows where the pen is: a ring of the brush's size under a pointer, and the keyboard's cross. Hears no events. */

import type { Point } from "./geometry";
import type { Place } from "./place";

const SMALLEST_RING_PX = 4;

export class Pointers {
  readonly ring = document.createElement("div");
  readonly cross = document.createElement("div");

  constructor() {
    this.ring.className = "brush-ring";
    this.cross.className = "cross";
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
