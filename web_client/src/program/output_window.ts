/** The picture alone in a window of its own, for a second screen or a projector. */

import { signal } from "@preact/signals";
import type { Program } from "./program";

const WIDTH_PX = 960;

export interface OutputWindowOptions {
  program: Program;
  /** Width by height of the pictures. */
  ratio: () => number;
  title: () => string;
  /** Binds the page's shortcuts in the window's document. */
  bindKeys: (document: Document) => void;
}

export class OutputWindow {
  readonly isOpen = signal(false);

  readonly #options: OutputWindowOptions;
  #window: Window | null = null;
  #release: () => void = () => {};

  constructor(options: OutputWindowOptions) {
    this.#options = options;
    // It shows nothing that this page doesn't draw.
    addEventListener("pagehide", () => this.close());
  }

  /** Returns whether there is one now: a browser may refuse it as a pop-up. */
  open(): boolean {
    this.close();
    const height_px = Math.round(WIDTH_PX / this.#options.ratio());
    const opened = window.open("", "_blank", `popup,width=${WIDTH_PX},height=${height_px}`);
    if (!opened) return false;
    this.#window = opened;
    this.#furnish(opened);
    this.isOpen.value = true;
    opened.addEventListener("pagehide", () => {
      if (this.#window === opened) this.close();
    });
    return true;
  }

  close(): void {
    this.#release();
    this.#release = () => {};
    this.#window?.close();
    this.#window = null;
    this.isOpen.value = false;
  }

  /**
   * The window's document is empty and of our origin, so the program draws into it directly: no stream, no message
   * and no second decoder between the two. Styles are set one by one, which a content security policy allows.
   */
  #furnish({ document: there }: Window): void {
    there.title = this.#options.title();
    const canvas = there.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", there.title);
    Object.assign(there.documentElement.style, { background: "#000", height: "100%" });
    Object.assign(there.body.style, { margin: "0", height: "100%", overflow: "hidden" });
    Object.assign(canvas.style, { display: "block", width: "100vw", height: "100vh", objectFit: "contain" });
    there.body.replaceChildren(canvas);
    const toggleFullscreen = () => {
      if (there.fullscreenElement) void there.exitFullscreen();
      else void there.documentElement.requestFullscreen().catch(() => {});
    };
    canvas.addEventListener("dblclick", toggleFullscreen);
    there.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "f" || event.ctrlKey || event.metaKey || event.altKey) return;
      event.stopImmediatePropagation();
      toggleFullscreen();
    });
    this.#options.bindKeys(there);
    this.#release = this.#options.program.add({ canvas });
  }
}
