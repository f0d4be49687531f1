/** The drawing surface as a source: pressure strokes on white. Says so only when something changed. */

import { computed, signal } from "@preact/signals";
import { emptyHistory, push, redo, undo } from "./history";
import type { Picture, Source } from "./source";
import { paint, type Point, type Stroke } from "./stroke";

export type Tool = "brush" | "eraser";

const PAPER = "#ffffff";
/** Drawn larger than it is sent, so that a 256-pixel picture still feels like paper. */
const SHORTER_SIDE_PX = 1024;
const PEN_ERASER_BUTTON = 32;

export class DrawingCanvas implements Source {
  readonly isStill = true;
  readonly view = document.createElement("canvas");
  readonly tool = signal<Tool>("brush");
  readonly colour = signal("#15161a");
  /** In percent of the picture's shorter side. */
  readonly size = signal(3);
  readonly canUndo = computed(() => this.#history.value.done.length > 0);
  readonly canRedo = computed(() => this.#history.value.undone.length > 0);

  /** null stands for a cleared sheet, so that clearing can be undone too. */
  readonly #history = signal(emptyHistory<Stroke | null>());
  /** The finished strokes, so that a new one costs the same on a full sheet as on an empty one. */
  readonly #sheet = document.createElement("canvas");
  #stroke: Stroke | null = null;
  #pointer: number | null = null;
  #changed: () => void = () => {};

  constructor() {
    this.view.tabIndex = -1;
    this.view.addEventListener("pointerdown", this.#onDown);
    this.view.addEventListener("pointermove", this.#onMove);
    this.view.addEventListener("pointerup", this.#onUp);
    this.view.addEventListener("pointercancel", this.#onUp);
    this.resize(512, 512);
  }

  async start(changed: () => void): Promise<void> {
    this.#changed = changed;
    changed();
  }

  stop(): void {
    this.#changed = () => {};
    this.#finishStroke();
  }

  picture(): Picture {
    return { image: this.view, width: this.view.width, height: this.view.height, mirrored: false };
  }

  /** Takes the shape of the picture that the server makes. */
  resize(width: number, height: number): void {
    const scale = SHORTER_SIDE_PX / Math.min(width, height);
    const [width_px, height_px] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.view.width === width_px && this.view.height === height_px) return;
    for (const canvas of [this.view, this.#sheet]) {
      canvas.width = width_px;
      canvas.height = height_px;
    }
    this.#redraw();
  }

  undo(): void {
    this.#history.value = undo(this.#history.peek());
    this.#redraw();
  }

  redo(): void {
    this.#history.value = redo(this.#history.peek());
    this.#redraw();
  }

  clear(): void {
    if (this.#history.peek().done.at(-1)) this.#history.value = push(this.#history.peek(), null);
    this.#redraw();
  }

  readonly #onDown = (event: PointerEvent): void => {
    if (this.#pointer !== null || (event.button > 0 && !(event.buttons & PEN_ERASER_BUTTON))) return;
    this.#pointer = event.pointerId;
    this.view.setPointerCapture(event.pointerId);
    const erases = this.tool.peek() === "eraser" || (event.buttons & PEN_ERASER_BUTTON) !== 0;
    this.#stroke = {
      points: [this.#pointOf(event)],
      colour: erases ? PAPER : this.colour.peek(),
      size: (this.size.peek() / 100) * (erases ? 2 : 1),
      hasPressure: event.pointerType === "pen",
    };
    this.#show();
  };

  readonly #onMove = (event: PointerEvent): void => {
    if (event.pointerId !== this.#pointer || !this.#stroke) return;
    // One event may carry several positions of a fast pen.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length > 0 ? events : [event]) this.#stroke.points.push(this.#pointOf(each));
    this.#show();
  };

  readonly #onUp = (event: PointerEvent): void => {
    if (event.pointerId === this.#pointer) this.#finishStroke();
  };

  #finishStroke(): void {
    this.#pointer = null;
    const stroke = this.#stroke;
    if (!stroke) return;
    this.#stroke = null;
    this.#history.value = push(this.#history.peek(), stroke);
    paint(this.#context(this.#sheet), stroke, true);
    this.#show();
  }

  #pointOf(event: PointerEvent): Point {
    const box = this.view.getBoundingClientRect();
    const unit = Math.min(box.width, box.height);
    return [
      (event.clientX - box.left - box.width / 2) / unit,
      (event.clientY - box.top - box.height / 2) / unit,
      event.pressure,
    ];
  }

  #redraw(): void {
    const context = this.#context(this.#sheet);
    const { done } = this.#history.peek();
    this.#wipe(context);
    for (const stroke of done.slice(done.lastIndexOf(null) + 1)) if (stroke) paint(context, stroke, true);
    this.#show();
  }

  #show(): void {
    const context = this.#context(this.view);
    context.save();
    context.resetTransform();
    context.drawImage(this.#sheet, 0, 0);
    context.restore();
    if (this.#stroke) paint(context, this.#stroke, false);
    this.#changed();
  }

  #wipe(context: CanvasRenderingContext2D): void {
    context.save();
    context.resetTransform();
    context.fillStyle = PAPER;
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
    context.restore();
  }

  #context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser has no 2D canvas");
    const unit = Math.min(canvas.width, canvas.height);
    context.setTransform(unit, 0, 0, unit, canvas.width / 2, canvas.height / 2);
    return context;
  }
}
