import { expect, test } from "vitest";
import {
  activate,
  activeLayer,
  addAbove,
  change,
  isFull,
  type Layers,
  MAX_LAYERS,
  neighbour,
  oneLayer,
  remove,
  shift,
} from "../../src/draw/layers";

const ids = ({ stack }: Layers): number[] => stack.map(({ id }) => id);
const three = addAbove(addAbove(oneLayer(1), 2), 3);

test("a new layer lies above the active one and is drawn on", () => {
  const between = addAbove(activate(three, 1), 4);
  expect(ids(between)).toEqual([1, 4, 2, 3]);
  expect(activeLayer(between).id).toBe(4);
});

test("a picture lies above the active layer, and is the one that is moved", () => {
  const withPicture = addAbove(activate(three, 2), 4, "picture");
  expect(ids(withPicture)).toEqual([1, 2, 4, 3]);
  expect(activeLayer(withPicture)).toMatchObject({ id: 4, kind: "picture" });
});

test("without the active layer the one below is drawn on, or else the lowest", () => {
  expect(remove(three, 3).activeId).toBe(2);
  expect(remove(activate(three, 1), 1).activeId).toBe(2);
  expect(remove(activate(three, 1), 3).activeId).toBe(1);
});

test("the last layer stays", () => {
  const one = oneLayer(1);
  expect(remove(one, 1)).toBe(one);
});

test("layers move up and down, and not past the ends", () => {
  expect(ids(shift(three, 1, 1))).toEqual([2, 1, 3]);
  expect(ids(shift(three, 3, -1))).toEqual([1, 3, 2]);
  expect(shift(three, 3, 1)).toBe(three);
  expect(shift(three, 1, -1)).toBe(three);
});

test("a change touches one layer", () => {
  const faint = change(three, 2, { opacity: 0.5, isVisible: false });
  expect(faint.stack.map(({ opacity }) => opacity)).toEqual([1, 0.5, 1]);
  expect(faint.stack.map(({ isVisible }) => isVisible)).toEqual([true, false, true]);
});

test("a layer that isn't there can't be drawn on", () => {
  expect(activate(three, 9)).toBe(three);
});

test("the neighbours end with the stack", () => {
  expect(neighbour(three, 1)).toBe(3);
  expect(neighbour(three, -1)).toBe(2);
});

test("there is a most of layers", () => {
  let layers = oneLayer(1);
  while (layers.stack.length < MAX_LAYERS) layers = addAbove(layers, layers.stack.length + 1);
  expect(isFull(layers)).toBe(true);
  expect(isFull(remove(layers, 1))).toBe(false);
});
