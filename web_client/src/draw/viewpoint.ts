/** Pan and zoom of the drawing: by wheel, keys and fingers. Knows nothing of what is drawn. */

import { signal } from "@preact/signals";
import { magnify, pan, type Place, reveal, WHOLE } from "./place";

const LINE_PX = 16;
/** Of a wheel, and of two fingers on a touchpad, which browsers tell of as a wheel with Ctrl. */
const ZOOM_PER_PX = 0.002;
const PINCH_PER_PX = 0.01;

export class Viewpoint {
  readonly place = signal<Place>(WHOLE);

  zoomBy(factor: number): void {
    this.place.value = magnify(this.place.peek(), factor, { x: 0.5, y: 0.5 });
  }

  /** Zooms about a point of the page, which moves by (dx, dy), in pixels. */
  move(pane: DOMRect, factor: number, x: number, y: number, dx: number, dy: number): void {
    const at = { x: (x - pane.left) / pane.width, y: (y - pane.top) / pane.height };
    this.place.value = magnify(this.place.peek(), factor, at, dx / pane.width, dy / pane.height);
  }

  /** Pans just so far that a point, in shares of the picture, is seen. */
  reveal(x: number, y: number): void {
    this.place.value = reveal(this.place.peek(), x, y);
  }

  wheel(event: WheelEvent, pane: DOMRect): void {
    const isPinch = event.ctrlKey;
    // All is seen already: the page may scroll.
    if (this.place.peek().zoom === 1 && event.deltaY > 0 && !isPinch) return;
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const along = event.deltaX || event.deltaY;
      this.place.value = pan(this.place.peek(), -along / pane.width, 0);
      return;
    }
    const delta_px = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1);
    const factor = Math.exp(-delta_px * (isPinch ? PINCH_PER_PX : ZOOM_PER_PX));
    this.move(pane, factor, event.clientX, event.clientY, 0, 0);
  }

  /** Puts the sheet where it is seen from here. */
  show({ style }: HTMLElement | SVGElement): void {
    const { zoom, x, y } = this.place.value;
    style.transform = zoom === 1 ? "" : `translate(${x * 100}%, ${y * 100}%) scale(${zoom})`;
  }
}
