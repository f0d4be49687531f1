import { expect, test } from "vitest";
import { HISTORY_BYTES } from "../../src/draw/edits";
import { SHORTER_SIDE_PX } from "../../src/draw/geometry";
import { amend, emptyHistory, type History, push, redo, undo } from "../../src/draw/history";
import { TILE_BYTES, tilesIn } from "../../src/draw/tiles";

const BUDGET_BYTES = 100;

interface Done {
  name: string;
  bytes: number;
}

const done = (name: string, bytes = 1): Done => ({ name, bytes });
const of = (...items: Done[]): History<Done> =>
  items.reduce((history, item) => push(history, item, BUDGET_BYTES), emptyHistory<Done>());
const names = (history: History<Done>): string => history.done.map(({ name }) => name).join("");

test("undo takes the last back, redo brings it again", () => {
  const once = undo(of(done("a"), done("b")));
  expect(once).toEqual({ done: [done("a")], undone: [done("b")] });
  expect(redo(once)).toEqual(of(done("a"), done("b")));
});

test("several undos are redone in their order", () => {
  const empty = undo(undo(undo(of(done("a"), done("b"), done("c")))));
  expect(empty.done).toEqual([]);
  expect(names(redo(redo(redo(empty))))).toBe("abc");
});

test("with nothing to undo or redo nothing changes", () => {
  expect(undo(emptyHistory())).toEqual(emptyHistory());
  expect(redo(of(done("a")))).toEqual(of(done("a")));
});

test("something new forgets what was undone", () => {
  expect(push(undo(of(done("a"), done("b"))), done("c"), BUDGET_BYTES)).toEqual(of(done("a"), done("c")));
});

test("what no longer fits is forgotten, the oldest first", () => {
  expect(names(of(done("a", 50), done("b", 30), done("c", 30)))).toBe("bc");
  expect(names(of(done("a", 50), done("b", 30), done("c", 20)))).toBe("abc");
});

test("the newest is kept whatever it weighs", () => {
  expect(names(of(done("a"), done("b", 1000)))).toBe("b");
});

test("a thousand things never weigh more than the budget", () => {
  let history = emptyHistory<Done>();
  for (let index = 0; index < 1000; index++) history = push(history, done("x", 7), BUDGET_BYTES);
  expect(history.done.length).toBe(14);
});

test("a thing that goes on stays one thing", () => {
  expect(names(amend(of(done("a"), done("b")), done("c")))).toBe("ac");
});

test("at least thirty strokes across half the sheet can be undone, in whichever direction", () => {
  const brush_px = 0.03 * SHORTER_SIDE_PX;
  for (let angle = 0; angle < Math.PI; angle += 0.1) {
    const tiles = new Set<number>();
    for (let at = 0; at <= SHORTER_SIDE_PX / 2; at += 4) {
      const [left, top] = [Math.cos(angle) * at, Math.sin(angle) * at];
      for (const tile of tilesIn({ left, top, right: left + brush_px, bottom: top + brush_px })) tiles.add(tile);
    }
    expect(HISTORY_BYTES / (tiles.size * TILE_BYTES)).toBeGreaterThan(30);
  }
});
