import { beforeEach, expect, test } from "vitest";
import { Gestures } from "../../src/draw/gestures";

let log: string[];
let gestures: Gestures;

beforeEach(() => {
  log = [];
  gestures = new Gestures({
    begin: ({ id }) => log.push(`begin ${id}`),
    end: () => log.push("end"),
    cancel: () => log.push("cancel"),
    move: (factor, x, y, dx, dy) => log.push(`move ${[factor, x, y, dx, dy].join(" ")}`),
  });
});

const at = (id: number, type: string, x = 0, y = 0, at_ms = 0) => ({ id, type, x, y, at_ms });

test("a mouse draws from press to release", () => {
  gestures.down(at(1, "mouse"), false);
  expect(gestures.moved(at(1, "mouse", 5))).toBe(true);
  gestures.up(at(1, "mouse", 5));
  expect(log).toEqual(["begin 1", "end"]);
});

test("a pointer that isn't down draws nothing", () => {
  expect(gestures.moved(at(1, "mouse", 5))).toBe(false);
  expect(log).toEqual([]);
});

test("with the hand a pointer moves the picture", () => {
  gestures.down(at(1, "mouse", 10, 10), true);
  expect(gestures.moved(at(1, "mouse", 13, 14))).toBe(false);
  expect(log).toEqual(["move 1 10 10 3 4"]);
});

test("a second finger at once makes a pinch of it", () => {
  gestures.down(at(1, "touch", 0, 0, 0), false);
  gestures.down(at(2, "touch", 10, 0, 100), false);
  gestures.moved(at(2, "touch", 20, 0, 120));
  expect(log).toEqual(["begin 1", "cancel", "move 2 5 0 5 0"]);
});

test("a second finger later is the other hand", () => {
  gestures.down(at(1, "touch", 0, 0, 0), false);
  gestures.down(at(2, "touch", 10, 0, 1000), false);
  gestures.moved(at(2, "touch", 20, 0, 1020));
  gestures.up(at(1, "touch", 0, 0, 1100));
  expect(log).toEqual(["begin 1", "end"]);
});

test("a finger that stays after a pinch doesn't draw", () => {
  gestures.down(at(1, "touch", 0, 0, 0), false);
  gestures.down(at(2, "touch", 10, 0, 100), false);
  gestures.up(at(2, "touch", 10, 0, 200));
  expect(gestures.moved(at(1, "touch", 4, 0, 220))).toBe(false);
  expect(log).toEqual(["begin 1", "cancel", "move 1 0 0 4 0"]);
});

test("a pen takes over from the palm that came before it", () => {
  gestures.down(at(1, "touch"), false);
  gestures.down(at(2, "pen"), false);
  expect(gestures.moved(at(1, "touch", 5))).toBe(false);
  expect(gestures.moved(at(2, "pen", 5))).toBe(true);
  expect(log).toEqual(["begin 1", "cancel", "begin 2"]);
});

test("a palm beside the pen does nothing", () => {
  gestures.down(at(1, "pen"), false);
  gestures.down(at(2, "touch", 0, 0, 10), false);
  gestures.moved(at(2, "touch", 9, 9, 20));
  expect(log).toEqual(["begin 1"]);
});

test("once there was a pen, a finger moves the picture, until it may draw again", () => {
  gestures.down(at(1, "pen"), false);
  gestures.up(at(1, "pen"));
  gestures.down(at(2, "touch"), false);
  gestures.moved(at(2, "touch", 3, 0));
  gestures.up(at(2, "touch"));
  gestures.fingerDraws = true;
  gestures.down(at(3, "touch"), false);
  expect(log).toEqual(["begin 1", "end", "move 1 0 0 3 0", "begin 3"]);
});

test("what the browser takes away is taken back", () => {
  gestures.down(at(1, "touch"), false);
  gestures.cancel(1);
  gestures.up(at(1, "touch"));
  expect(log).toEqual(["begin 1", "cancel"]);
});
