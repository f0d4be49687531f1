import { expect, test } from "vitest";
import { emptyHistory, type History, push, redo, undo } from "../src/sources/history";

const of = (...items: string[]): History<string> => items.reduce(push<string>, emptyHistory<string>());

test("undo takes the last back, redo brings it again", () => {
  const once = undo(of("a", "b"));
  expect(once).toEqual({ done: ["a"], undone: ["b"] });
  expect(redo(once)).toEqual(of("a", "b"));
});

test("several undos are redone in their order", () => {
  const empty = undo(undo(undo(of("a", "b", "c"))));
  expect(empty.done).toEqual([]);
  expect(redo(redo(redo(empty))).done).toEqual(["a", "b", "c"]);
});

test("with nothing to undo or redo nothing changes", () => {
  expect(undo(emptyHistory())).toEqual(emptyHistory());
  expect(redo(of("a"))).toEqual(of("a"));
});

test("something new forgets what was undone", () => {
  expect(push(undo(of("a", "b")), "c")).toEqual(of("a", "c"));
});

test("null is an item like any other, as the canvas uses it for a cleared sheet", () => {
  const cleared = push(push(emptyHistory<string | null>(), "a"), null);
  expect(undo(cleared).done).toEqual(["a"]);
  expect(redo(undo(cleared)).done).toEqual(["a", null]);
});
