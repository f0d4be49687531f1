/** An element of a page as a source: says when it may show something new, and gives its picture. */

import type { Picture, Source } from "../sources/source";
import type { Input } from "./types";

/** On a page out of sight browsers tell of no pictures and no repaints. */
const HIDDEN_MS = 40;
/** HTMLMediaElement.HAVE_CURRENT_DATA */
const HAS_PICTURE = 2;

export class ElementSource implements Source {
  readonly isStill = false;
  readonly view: Input;
  readonly #mirrored: boolean;
  #changed: (() => void) | null = null;
  #callOff: () => void = () => {};

  constructor(element: Input, mirrored: boolean) {
    this.view = element;
    this.#mirrored = mirrored;
  }

  async start(changed: () => void): Promise<void> {
    this.#changed = changed;
    document.addEventListener("visibilitychange", this.#wait);
    this.#wait();
  }

  stop(): void {
    this.#changed = null;
    this.#callOff();
    document.removeEventListener("visibilitychange", this.#wait);
  }

  picture(): Picture | null {
    const [width, height] = sizeOf(this.view);
    return width > 0 && height > 0 ? { image: this.view, width, height, mirrored: this.#mirrored } : null;
  }

  readonly #wait = (): void => {
    this.#callOff();
    if (!this.#changed) return;
    const next = (): void => {
      this.#changed?.();
      this.#wait();
    };
    if (document.hidden) {
      const timer = setTimeout(next, HIDDEN_MS);
      this.#callOff = () => clearTimeout(timer);
    } else if (this.view instanceof HTMLVideoElement && "requestVideoFrameCallback" in this.view) {
      const { view } = this;
      const asked = view.requestVideoFrameCallback(next);
      this.#callOff = () => view.cancelVideoFrameCallback(asked);
    } else {
      const asked = requestAnimationFrame(next);
      this.#callOff = () => cancelAnimationFrame(asked);
    }
  };
}

/** Nothing while there is no picture to be drawn. */
function sizeOf(element: Input): [number, number] {
  if (element instanceof HTMLVideoElement)
    return element.readyState >= HAS_PICTURE ? [element.videoWidth, element.videoHeight] : [0, 0];
  if (element instanceof HTMLImageElement) return [element.naturalWidth, element.naturalHeight];
  return [element.width, element.height];
}
