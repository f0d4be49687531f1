/** The stack of layers: what lies above what, and how it is seen. Pure; the pixels are elsewhere. */

export const MAX_LAYERS = 8;

export type LayerKind = "drawing" | "picture";

export interface Layer {
  /** Never used again for another layer: its pixels are found by it. */
  readonly id: number;
  readonly kind: LayerKind;
  readonly isVisible: boolean;
  /** 0 to 1. */
  readonly opacity: number;
}

export interface Layers {
  /** The lowest first; never empty. */
  readonly stack: readonly Layer[];
  /** The one that is drawn on. */
  readonly activeId: number;
}

function newLayer(id: number, kind: LayerKind): Layer {
  return { id, kind, isVisible: true, opacity: 1 };
}

export function oneLayer(id: number): Layers {
  return { stack: [newLayer(id, "drawing")], activeId: id };
}

export function isFull({ stack }: Layers): boolean {
  return stack.length >= MAX_LAYERS;
}

export function activeLayer({ stack, activeId }: Layers): Layer {
  const active = stack.find(({ id }) => id === activeId);
  if (!active) throw new Error(`layer ${activeId} is active but not there`);
  return active;
}

/** A new layer above the active one, whose place it takes: it is drawn on, moved and deleted. */
export function addAbove(layers: Layers, id: number, kind: LayerKind = "drawing"): Layers {
  const stack = [...layers.stack];
  stack.splice(stack.indexOf(activeLayer(layers)) + 1, 0, newLayer(id, kind));
  return { stack, activeId: id };
}

/** Takes a layer out; the last one stays. The one below it becomes active, or else the lowest. */
export function remove(layers: Layers, id: number): Layers {
  const index = layers.stack.findIndex((layer) => layer.id === id);
  if (index < 0 || layers.stack.length === 1) return layers;
  const stack = layers.stack.filter((layer) => layer.id !== id);
  const neighbour = stack[Math.max(0, index - 1)] as Layer;
  return { stack, activeId: layers.activeId === id ? neighbour.id : layers.activeId };
}

/** Moves a layer up (+1) or down (-1) in the stack. */
export function shift(layers: Layers, id: number, by: 1 | -1): Layers {
  const stack = [...layers.stack];
  const from = stack.findIndex((layer) => layer.id === id);
  const to = from + by;
  if (from < 0 || to < 0 || to >= stack.length) return layers;
  stack.splice(to, 0, ...stack.splice(from, 1));
  return { ...layers, stack };
}

export function change(layers: Layers, id: number, changes: Partial<Pick<Layer, "isVisible" | "opacity">>): Layers {
  return { ...layers, stack: layers.stack.map((layer) => (layer.id === id ? { ...layer, ...changes } : layer)) };
}

export function activate(layers: Layers, id: number): Layers {
  return layers.stack.some((layer) => layer.id === id) ? { ...layers, activeId: id } : layers;
}

/** The id of the layer above (+1) or below (-1) the active one; the active one's own at the ends. */
export function neighbour(layers: Layers, by: 1 | -1): number {
  const index = layers.stack.indexOf(activeLayer(layers));
  return layers.stack[index + by]?.id ?? layers.activeId;
}
