/** The drawing surface as a source: hears pointers and keys for the pen, and reports each change. */

import { effect, signal } from "@preact/signals";
import { browserClock } from "../browser/clock";
import { Drawing } from "../draw/drawing";
import { type Point, type Shift, SHORTER_SIDE_PX } from "../draw/geometry";
import { Gestures, type Pointer } from "../draw/gestures";
import { Keeper } from "../draw/keeper";
import { activate, neighbour } from "../draw/layers";
import { Pen } from "../draw/pen";
import { Pointers } from "../draw/pointers";
import { browserStore } from "../draw/store";
import { type PenPoint, Speed } from "../draw/stroke";
import { Toolbox } from "../draw/toolbox";
import { Viewpoint } from "../draw/viewpoint";
import { type Picture, type Source, SourceError } from "./source";

const PEN_ERASER_BUTTON = 32;
const MIDDLE_BUTTON = 1;
/** Mice that report a thousand times a second aren't painted that often. */
const SHORTEST_PAINT_MS = 4;
/** A picture that is scaled up shows more than the sheet has, but a photograph of a phone would weigh 200 MB. */
const LONGER_SIDE_PX = 2048;

export class DrawingCanvas implements Source {
  // First: the drawing calls it as soon as there is one.
  #onDrawn: () => void = () => {};
  #changed: () => void = () => {};
  readonly isStill = true;
  readonly view = document.createElement("div");
  readonly toolbox = new Toolbox();
  readonly viewpoint = new Viewpoint();
  /** The keyboard's cross, from the centre; null until it is used. */
  readonly cross = signal<Point | null>(null);
  /** Whether a pen was seen, and fingers can be given back their right to draw. */
  readonly hasPen = signal(false);
  readonly fingerDraws = signal(true);
  readonly drawing = new Drawing(() => this.#onDrawn());
  readonly pen = new Pen(this.drawing, this.toolbox);
  /** Held down, the pointer moves the picture. */
  holdsHand = false;
  isHovered = false;
  /** Whether only what is painted is sent, and not the paper. */
  sendsPaintOnly = false;
  readonly #keeper = new Keeper({
    drawing: this.drawing,
    store: browserStore,
    clock: browserClock,
    decode: (png) => createImageBitmap(png),
  });
  readonly #pointers = new Pointers();
  readonly #gestures: Gestures;
  #speed = new Speed();
  #event: PointerEvent | null = null;
  #waiting: PenPoint[] = [];
  #paintedAt_ms = 0;
  #painting = 0;

  constructor() {
    const { view } = this;
    view.className = "drawing";
    view.tabIndex = 0;
    view.setAttribute("role", "application");
    view.append(this.drawing.canvas, this.#pointers.outline, this.#pointers.ring, this.#pointers.cross);
    this.#gestures = new Gestures({
      begin: () => this.#begin(),
      end: () => this.#end(),
      cancel: () => this.cancel(),
      move: (...movement) => this.viewpoint.move(this.view.getBoundingClientRect(), ...movement),
    });
    this.#onDrawn = () => {
      this.#keeper.changed();
      this.#changed();
    };
    this.#listen();
    document.addEventListener("visibilitychange", () => document.hidden && void this.#keeper.save());
    effect(() => this.#showPlace());
    effect(() => this.#pointers.showOutline(this.pen.selection.value, this.drawing.box));
    this.resize(512, 512);
  }

  async start(changed: () => void): Promise<void> {
    this.#changed = changed;
    await Promise.all([this.pen.prepare(), this.#keeper.restore()]);
    this.#changed();
  }

  stop(): void {
    this.#changed = () => {};
    this.#end();
  }

  picture(): Picture {
    const image = this.sendsPaintOnly ? this.drawing.painted() : this.drawing.canvas;
    const { width, height } = image;
    // Without its paper, a blank drawing is nothing at all, and not white.
    const isBlank = !this.sendsPaintOnly && this.drawing.isBlank;
    return { image, width, height, mirrored: false, isTransparent: this.sendsPaintOnly, isBlank };
  }

  /** The drawing as it is seen. */
  png(): Promise<Blob | null> {
    return new Promise((resolve) => this.drawing.canvas.toBlob(resolve, "image/png"));
  }

  /** Takes the shape of the picture that the server makes. */
  resize(width: number, height: number): void {
    const { canvas } = this.drawing;
    const [before_width, before_height] = [canvas.width, canvas.height];
    this.drawing.resize(width, height);
    if (canvas.width === before_width && canvas.height === before_height) return;
    this.cancel();
    this.pen.deselect();
    this.pen.forgetScratch();
  }

  undo(): void {
    if (this.pen.isDown) return;
    this.pen.deselect();
    this.drawing.undo();
  }

  redo(): void {
    if (this.pen.isDown) return;
    this.pen.deselect();
    this.drawing.redo();
  }

  /** Empties what is chosen, or else the active layer. */
  clear(): void {
    if (!this.pen.isDown && !this.pen.removeSelected()) this.drawing.clearLayer();
  }

  /** Puts a copy of a picture above the active layer. Rejects with a SourceError. */
  async addCopy({ image }: Pick<Picture, "image">): Promise<void> {
    const bitmap = await createImageBitmap(image);
    if (!this.drawing.addPicture(bitmap, bitmap.width, bitmap.height)) throw new SourceError("layersFull");
  }

  /** Opens a drawing of another program in the place of this one. Rejects with a SourceError. */
  async open(file: Blob): Promise<void> {
    const { openOra } = await import("../draw/file/open_raster");
    try {
      await openOra(this.drawing, file);
    } catch (error) {
      throw new SourceError("fileUnreadable", error);
    }
  }

  letFingersDraw(may: boolean): void {
    this.fingerDraws.value = this.#gestures.fingerDraws = may;
  }

  selectNeighbour(by: 1 | -1): void {
    const layers = this.drawing.layers.peek();
    this.drawing.select(activate(layers, neighbour(layers, by)));
  }

  /** Puts a picture above the active layer. Rejects with a SourceError. */
  async addPicture(file: Blob): Promise<void> {
    let bitmap: ImageBitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch (error) {
      throw new SourceError("fileUnreadable", error);
    }
    const scale = LONGER_SIDE_PX / Math.max(bitmap.width, bitmap.height);
    if (scale < 1) {
      const resizeWidth = Math.round(bitmap.width * scale);
      const whole = bitmap;
      bitmap = await createImageBitmap(whole, { resizeWidth, resizeQuality: "high" });
      whole.close();
    }
    if (!this.drawing.addPicture(bitmap, bitmap.width, bitmap.height)) throw new SourceError("layersFull");
  }

  /** Puts the active layer somewhere. */
  shift(shift: Shift): void {
    if (!this.pen.isDown) this.drawing.commitShift(shift);
  }

  /** Moves the keyboard's cross by shares of what is seen. With the pen down it draws. */
  moveCross(dx: number, dy: number): void {
    const { width, height } = this.drawing.canvas;
    const step = Math.min(width, height) / this.viewpoint.place.peek().zoom;
    const from = this.cross.peek() ?? { x: 0, y: 0 };
    const keep = (at: number, side: number) => Math.min(side / 2 - 1, Math.max(-side / 2, at));
    const to = { x: keep(from.x + dx * step, width), y: keep(from.y + dy * step, height) };
    this.cross.value = to;
    this.viewpoint.reveal(to.x / width + 0.5, to.y / height + 0.5);
    if (this.pen.isDown) this.pen.move([{ ...to, pressure: 0.5 }], false);
  }

  /** Puts the pen down at the keyboard's cross, or lifts it. */
  pressCross(): void {
    if (this.pen.isDown) return this.#end();
    const at = this.cross.peek() ?? { x: 0, y: 0 };
    this.cross.value = at;
    this.pen.press(this.toolbox.tool.peek(), { ...at, pressure: 0.5 });
  }

  /** Takes back what is being drawn; returns whether anything was. */
  cancel(): boolean {
    cancelAnimationFrame(this.#painting);
    this.#waiting = [];
    return this.pen.cancel();
  }

  /** Takes back what is being drawn, or else chooses nothing any more; returns whether there was either. */
  escape(): boolean {
    return this.cancel() || this.pen.deselect();
  }

  #listen(): void {
    const { view } = this;
    const on = <K extends keyof HTMLElementEventMap>(kind: K, action: (event: HTMLElementEventMap[K]) => void) =>
      view.addEventListener(kind, action, { passive: false });
    // Raw updates come at once, others with the next repaint. Insecure pages have only the others.
    const moved = "onpointerrawupdate" in view ? "pointerrawupdate" : "pointermove";
    view.addEventListener(moved, (event) => this.#onMove(event as PointerEvent));
    on("pointerdown", this.#onDown);
    on("pointerup", (event) => this.#gestures.up(pointerOf(event)));
    on("pointercancel", (event) => this.#gestures.cancel(event.pointerId));
    on("pointerenter", () => {
      this.isHovered = true;
    });
    on("pointerleave", () => {
      this.isHovered = false;
      this.#pointers.ring.hidden = true;
    });
    on("mousedown", (event) => {
      // Or else the browser scrolls by itself.
      if (event.button === MIDDLE_BUTTON) event.preventDefault();
    });
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => this.viewpoint.wheel(event, view.getBoundingClientRect()));
  }

  readonly #onDown = (event: PointerEvent): void => {
    if (event.button === 2) return;
    this.#event = event;
    this.view.focus({ preventScroll: true });
    this.view.setPointerCapture(event.pointerId);
    this.cross.value = null;
    if (event.pointerType === "pen") this.hasPen.value = true;
    const moves = this.holdsHand || event.button === MIDDLE_BUTTON || this.toolbox.tool.peek() === "hand";
    this.#gestures.down(pointerOf(event), moves);
    this.fingerDraws.value = this.#gestures.fingerDraws;
  };

  readonly #onMove = (event: PointerEvent): void => {
    this.#showRing(event);
    this.#event = event;
    if (!this.#gestures.moved(pointerOf(event))) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length > 0 ? events : [event]) this.#waiting.push(this.#pointOf(each));
    if (!this.pen.isDown) return this.#pickAlong();
    if (event.timeStamp - this.#paintedAt_ms >= SHORTEST_PAINT_MS) return this.#paintWaiting();
    cancelAnimationFrame(this.#painting);
    this.#painting = requestAnimationFrame(this.#paintWaiting);
  };

  #begin(): void {
    const event = this.#event;
    if (!event) return;
    this.#speed = new Speed();
    const isEraser = (event.buttons & PEN_ERASER_BUTTON) !== 0;
    const tool = isEraser ? "eraser" : event.altKey ? "pick" : this.toolbox.tool.peek();
    this.#paintedAt_ms = performance.now();
    this.pen.press(tool, this.#pointOf(event));
  }

  #end(): void {
    this.#paintWaiting();
    this.pen.lift();
  }

  readonly #paintWaiting = (): void => {
    cancelAnimationFrame(this.#painting);
    const points = this.#waiting;
    this.#waiting = [];
    if (points.length === 0) return;
    this.#paintedAt_ms = performance.now();
    this.pen.move(points, this.#event?.shiftKey ?? false);
  };

  #pickAlong(): void {
    const at = this.#waiting.at(-1);
    this.#waiting = [];
    if (at && (this.toolbox.tool.peek() === "pick" || this.#event?.altKey)) this.pen.pick(at);
  }

  #pointOf(event: PointerEvent): PenPoint {
    const { canvas } = this.drawing;
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width - 0.5) * canvas.width;
    const y = ((event.clientY - box.top) / box.height - 0.5) * canvas.height;
    const pressure =
      event.pointerType === "pen" ? event.pressure : this.#speed.pressureAt(x, y, event.timeStamp, SHORTER_SIDE_PX);
    return { x, y, pressure };
  }

  #showPlace(): void {
    const { canvas } = this.drawing;
    this.viewpoint.show(canvas);
    this.viewpoint.show(this.#pointers.outline);
    const cross = this.cross.value;
    this.#pointers.showCross(cross && { x: cross.x / canvas.width, y: cross.y / canvas.height }, this.viewpoint.place.value);
  }

  #showRing(event: PointerEvent): void {
    const { reach } = this.toolbox;
    const magnified = reach === null ? null : reach * this.viewpoint.place.peek().zoom;
    this.#pointers.showRing(event, this.view.getBoundingClientRect(), magnified);
  }
}

function pointerOf(event: PointerEvent): Pointer {
  return { id: event.pointerId, type: event.pointerType, x: event.clientX, y: event.clientY, at_ms: event.timeStamp };
}
