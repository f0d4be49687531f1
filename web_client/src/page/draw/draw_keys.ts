/** The keyboard of the drawing surface: tools, layers, zoom, and a cross that draws without a pointer. */

import { activeLayer, change, remove, shift } from "../../draw/layers";
import { WHOLE } from "../../draw/place";
import type { Tool } from "../../draw/toolbox";
import type { DrawingCanvas } from "../../sources/canvas";

/** By tool, for the tooltips too. */
export const toolKeys: Record<Tool, string> = {
  brush: "B",
  eraser: "E",
  fill: "G",
  line: "L",
  rectangle: "U",
  ellipse: "O",
  polygon: "J",
  star: "K",
  pick: "I",
  lasso: "Q",
  move: "W",
  hand: "M",
};

const SIZE_FACTOR = 1.2;
const OPACITY_STEP = 10;
const ZOOM_FACTOR = 1.25;
/** Of what is seen of the picture. */
const STEP = 0.01;
const LONG_STEP = 0.05;

type CanvasAction = (canvas: DrawingCanvas) => void;

const actions: Record<string, CanvasAction> = {
  ",": (canvas) => canvas.toolbox.scaleSize(1 / SIZE_FACTOR),
  ".": (canvas) => canvas.toolbox.scaleSize(SIZE_FACTOR),
  ";": (canvas) => fade(canvas, -OPACITY_STEP),
  ":": (canvas) => fade(canvas, OPACITY_STEP),
  "+": (canvas) => canvas.viewpoint.zoomBy(ZOOM_FACTOR),
  "=": (canvas) => canvas.viewpoint.zoomBy(ZOOM_FACTOR),
  "-": (canvas) => canvas.viewpoint.zoomBy(1 / ZOOM_FACTOR),
  "0": (canvas) => (canvas.viewpoint.place.value = WHOLE),
  n: ({ drawing }) => drawing.addLayer(),
  v: ({ drawing }) => {
    const { id, isVisible } = activeLayer(drawing.layers.peek());
    drawing.arrange("show", (layers) => change(layers, id, { isVisible: !isVisible }));
  },
  pageup: (canvas) => canvas.selectNeighbour(1),
  pagedown: (canvas) => canvas.selectNeighbour(-1),
  d: ({ toolbox }) => toolbox.nextSymmetry(),
  delete: (canvas) => canvas.clear(),
};

const shifted: Record<string, CanvasAction> = {
  pageup: ({ drawing }) => drawing.arrange("shift", (layers) => shift(layers, layers.activeId, 1)),
  pagedown: ({ drawing }) => drawing.arrange("shift", (layers) => shift(layers, layers.activeId, -1)),
  delete: ({ drawing }) => drawing.arrange("remove", (layers) => remove(layers, layers.activeId)),
};

/** Only on the surface itself: elsewhere these keys belong to buttons and sliders. */
const surfaceActions: Record<string, (canvas: DrawingCanvas, step: number) => void> = {
  arrowleft: (canvas, step) => canvas.moveCross(-step, 0),
  arrowright: (canvas, step) => canvas.moveCross(step, 0),
  arrowup: (canvas, step) => canvas.moveCross(0, -step),
  arrowdown: (canvas, step) => canvas.moveCross(0, step),
  enter: (canvas) => canvas.pressCross(),
};

function fade(canvas: DrawingCanvas, by: number): void {
  const { opacity } = canvas.toolbox;
  opacity.value = Math.min(100, Math.max(OPACITY_STEP, opacity.peek() + by));
}

/**
 * Listens while a drawing is the input. The keys are the drawing's while the pointer is over it or the focus is in
 * what belongs to it (`data-draw-keys`); anywhere else they mean what they mean on the page.
 *
 * @returns what ends it.
 */
export function bindDrawKeys(canvas: DrawingCanvas): () => void {
  const down = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const isOurs = target.closest('[data-draw-keys="true"]') !== null || (canvas.isHovered && !target.closest("dialog"));
    if (!isOurs || event.altKey || target.matches("select, textarea, input:not([type=range], [type=checkbox])")) return;
    if (!press(event, canvas, target)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const release = () => (canvas.holdsHand = false);
  const up = (event: KeyboardEvent) => event.key === " " && release();
  // Before the page's own shortcuts.
  document.addEventListener("keydown", down, true);
  document.addEventListener("keyup", up, true);
  addEventListener("blur", release);
  return () => {
    release();
    document.removeEventListener("keydown", down, true);
    document.removeEventListener("keyup", up, true);
    removeEventListener("blur", release);
  };
}

/** Returns whether the key was one of ours. */
function press(event: KeyboardEvent, canvas: DrawingCanvas, target: HTMLElement): boolean {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== "y" && key !== "z") return false;
    if (key === "y" || event.shiftKey) canvas.redo();
    else canvas.undo();
    return true;
  }
  // While nothing is being drawn, it leaves full screen and the like.
  if (key === "escape") return canvas.escape();
  const isOnSurface = target === canvas.view;
  if (key === " ") {
    if (!isOnSurface && !(canvas.isHovered && !target.matches("button, summary, a, input"))) return false;
    canvas.holdsHand = true;
    return true;
  }
  const onSurface = surfaceActions[key];
  if (onSurface) {
    if (isOnSurface) onSurface(canvas, event.shiftKey ? LONG_STEP : STEP);
    return isOnSurface;
  }
  const tool = (Object.keys(toolKeys) as Tool[]).find((each) => toolKeys[each].toLowerCase() === key);
  const action = tool ? () => (canvas.toolbox.tool.value = tool) : ((event.shiftKey && shifted[key]) || actions[key]);
  action?.(canvas);
  return action !== undefined;
}
