/** The drawing surface as a source: pointers and keys become marks. Says so only when something changed. */

import { effect, signal } from "@preact/signals";
import { browserClock } from "../clock";
import { Drawing } from "../draw/drawing";
import { boxAround, type Point, type Shift, SHORTER_SIDE_PX } from "../draw/geometry";
import { Gestures, type Pointer } from "../draw/gestures";
import { Keeper } from "../draw/keeper";
import { activate, neighbour } from "../draw/layers";
import { fillArea, type Mark, type Scratch, ShapeMark, ShiftMark, StrokeMark } from "../draw/marks";
import { magnify, pan, type Place, reveal, WHOLE } from "../draw/place";
import { Pointers } from "../draw/pointers";
import { browserStore } from "../draw/store";
import { type PenPoint, Speed } from "../draw/stroke";
import { type Tool, Toolbox } from "../draw/toolbox";
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
  readonly place = signal<Place>(WHOLE);
  /** Where the keyboard's cross is; null until it is used. */
  readonly cross = signal<Point | null>(null);
  /** Whether a pen was seen, and fingers can be given back their right to draw. */
  readonly hasPen = signal(false);
  readonly fingerDraws = signal(true);
  readonly drawing = new Drawing(() => this.#onDrawn());
  /** Held down, the pointer moves the picture. */
  holdsHand = false;
  isHovered = false;
  /** Told whenever the pen draws. */
  onPen: () => void = () => {};

  readonly #keeper = new Keeper({
    drawing: this.drawing,
    store: browserStore,
    clock: browserClock,
    decode: (png) => createImageBitmap(png),
  });
  readonly #pointers = new Pointers();
  readonly #gestures: Gestures;
  #scratch: Scratch | null = null;
  #mark: Mark | null = null;
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
    view.append(this.drawing.canvas, this.#pointers.ring, this.#pointers.cross);
    this.#gestures = new Gestures({
      begin: () => this.#begin(),
      end: () => this.#end(),
      cancel: () => this.cancel(),
      move: (factor, x, y, dx, dy) => this.#move(factor, x, y, dx, dy),
    });
    this.#onDrawn = () => {
      this.#keeper.changed();
      this.#changed();
    };
    this.#listen();
    document.addEventListener("visibilitychange", () => document.hidden && void this.#keeper.save());
    effect(() => this.#showPlace());
    this.resize(512, 512);
  }

  async start(changed: () => void): Promise<void> {
    this.#changed = changed;
    await this.#keeper.restore();
    this.#changed();
  }

  stop(): void {
    this.#changed = () => {};
    this.#end();
  }

  picture(): Picture {
    const { canvas } = this.drawing;
    return { image: canvas, width: canvas.width, height: canvas.height, mirrored: false };
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
    this.#scratch = null;
  }

  undo(): void {
    if (!this.#mark) this.drawing.undo();
  }

  redo(): void {
    if (!this.#mark) this.drawing.redo();
  }

  letFingersDraw(may: boolean): void {
    this.fingerDraws.value = this.#gestures.fingerDraws = may;
  }

  selectNeighbour(by: 1 | -1): void {
    const layers = this.drawing.layers.peek();
    this.drawing.select(activate(layers, neighbour(layers, by)));
  }

  /** Puts a picture under the active layer. Rejects with a SourceError. */
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
    if (!this.#mark) this.drawing.commitShift(shift);
  }

  zoomBy(factor: number): void {
    this.place.value = magnify(this.place.peek(), factor, { x: 0.5, y: 0.5 });
  }

  /** Moves the keyboard's cross by shares of what is seen. With the pen down it draws. */
  moveCross(dx: number, dy: number): void {
    const { width, height } = this.drawing.canvas;
    const step = Math.min(width, height) / this.place.peek().zoom;
    const from = this.cross.peek() ?? { x: 0, y: 0 };
    const keep = (at: number, side: number) => Math.min(side / 2 - 1, Math.max(-side / 2, at));
    const to = { x: keep(from.x + dx * step, width), y: keep(from.y + dy * step, height) };
    this.cross.value = to;
    this.place.value = reveal(this.place.peek(), to.x / width + 0.5, to.y / height + 0.5);
    if (this.#mark) this.#paint([{ ...to, pressure: 0.5 }], false);
  }

  /** Puts the pen down at the keyboard's cross, or lifts it. */
  pressCross(): void {
    if (this.#mark) return this.#end();
    const at = this.cross.peek() ?? { x: 0, y: 0 };
    this.cross.value = at;
    this.#use(this.toolbox.tool.peek(), { ...at, pressure: 0.5 });
  }

  /** Takes back what is being drawn; returns whether anything was. */
  cancel(): boolean {
    cancelAnimationFrame(this.#painting);
    this.#waiting = [];
    const mark = this.#mark;
    mark?.cancel();
    this.#mark = null;
    return mark !== null;
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
    on("wheel", this.#onWheel);
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
    if (!this.#mark) return this.#pickAlong();
    if (event.timeStamp - this.#paintedAt_ms >= SHORTEST_PAINT_MS) return this.#paintWaiting();
    cancelAnimationFrame(this.#painting);
    this.#painting = requestAnimationFrame(this.#paintWaiting);
  };

  readonly #onWheel = (event: WheelEvent): void => {
    const { zoom } = this.place.peek();
    const isPinch = event.ctrlKey;
    // All is seen already: the page may scroll.
    if (zoom === 1 && event.deltaY > 0 && !isPinch) return;
    event.preventDefault();
    const box = this.view.getBoundingClientRect();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const along = event.deltaX || event.deltaY;
      this.place.value = pan(this.place.peek(), -along / box.width, 0);
      return;
    }
    const delta_px = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    this.#move(Math.exp(-delta_px * (isPinch ? 0.01 : 0.002)), event.clientX, event.clientY, 0, 0);
  };

  #begin(): void {
    const event = this.#event;
    if (!event) return;
    this.#speed = new Speed();
    const isEraser = (event.buttons & PEN_ERASER_BUTTON) !== 0;
    const tool = isEraser ? "eraser" : event.altKey ? "pick" : this.toolbox.tool.peek();
    this.#use(tool, this.#pointOf(event));
  }

  #use(tool: Tool, at: PenPoint): void {
    if (tool === "hand") return;
    if (tool === "pick") return this.#pick(at);
    this.drawing.showActive();
    if (tool === "move") {
      this.#mark = new ShiftMark(this.drawing);
      this.#paint([at], false);
      return;
    }
    const scratch = (this.#scratch ??= { settled: this.drawing.newSurface(), whole: this.drawing.newSurface() });
    const brush = this.toolbox.brush(tool);
    if (tool === "fill") {
      fillArea(this.drawing, scratch, brush, at, Math.round(this.toolbox.tolerance.peek() * 2.55));
      return;
    }
    const isStroke = tool === "brush" || tool === "eraser";
    this.#mark = isStroke
      ? new StrokeMark(this.drawing, scratch, brush)
      : new ShapeMark(this.drawing, scratch, brush, tool, this.toolbox.fillsShapes.peek());
    this.#paint([at], false);
  }

  #end(): void {
    this.#paintWaiting();
    this.#mark?.end();
    this.#mark = null;
  }

  readonly #paintWaiting = (): void => {
    cancelAnimationFrame(this.#painting);
    const points = this.#waiting;
    this.#waiting = [];
    if (points.length > 0) this.#paint(points, this.#event?.shiftKey ?? false);
  };

  #paint(points: readonly PenPoint[], isRegular: boolean): void {
    this.#paintedAt_ms = performance.now();
    this.onPen();
    this.#mark?.move(points, isRegular);
  }

  #pickAlong(): void {
    const at = this.#waiting.at(-1);
    this.#waiting = [];
    if (at && (this.toolbox.tool.peek() === "pick" || this.#event?.altKey)) this.#pick(at);
  }

  #pick(at: Point): void {
    const box = boxAround([at], 0);
    this.toolbox.take(this.drawing.read({ ...box, right: box.left + 1, bottom: box.top + 1 }).data);
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

  #move(factor: number, x: number, y: number, dx: number, dy: number): void {
    const box = this.view.getBoundingClientRect();
    const at = { x: (x - box.left) / box.width, y: (y - box.top) / box.height };
    this.place.value = magnify(this.place.peek(), factor, at, dx / box.width, dy / box.height);
  }

  #showPlace(): void {
    const place = this.place.value;
    const { canvas } = this.drawing;
    const { zoom, x, y } = place;
    canvas.style.transform = zoom === 1 ? "" : `translate(${x * 100}%, ${y * 100}%) scale(${zoom})`;
    const cross = this.cross.value;
    this.#pointers.showCross(cross && { x: cross.x / canvas.width, y: cross.y / canvas.height }, place);
  }

  #showRing(event: PointerEvent): void {
    const { reach } = this.toolbox;
    const magnified = reach === null ? null : reach * this.place.peek().zoom;
    this.#pointers.showRing(event, this.view.getBoundingClientRect(), magnified);
  }
}

function pointerOf(event: PointerEvent): Pointer {
  return { id: event.pointerId, type: event.pointerType, x: event.clientX, y: event.clientY, at_ms: event.timeStamp };
}
