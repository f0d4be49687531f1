import { beforeEach, expect, test } from "vitest";
import { Fader } from "../../src/sources/fader";
import { FaderThere } from "../../src/studio/fader_there";
import { FakeClock } from "../fakes";

let clock: FakeClock;
let fader: Fader;
let told: number[];
let there: FaderThere;

beforeEach(() => {
  clock = new FakeClock();
  fader = new Fader(clock, () => () => {});
  told = [];
  there = new FaderThere({ clock, fader, tell: (at) => told.push(at) });
  clock.pass(1000);
  told.length = 0;
});

test("a hand's moves are told at a pace, and where they end", () => {
  for (let at = 1; at <= 20; at++) {
    fader.set(at / 20);
    clock.pass(10);
  }
  clock.pass(1000);
  expect(told.length).toBeLessThan(8);
  expect([told[0], told.at(-1)]).toEqual([0.05, 1]);
});

test("of a fade its goal is told, once", () => {
  fader.go(2);
  clock.pass(3000);
  expect(told).toEqual([1]);
});

test("what others command takes the time that they say, and is not told back", () => {
  there.follow({ at: 0.5, transition_s: 2 });
  clock.pass(1000);
  expect(fader.at.value).toBeCloseTo(0.25, 1);
  clock.pass(1100);
  expect(fader.at.value).toBe(0.5);
  there.follow({ at: 0, transition_s: 0 });
  expect(fader.at.value).toBe(0);
  clock.pass(1000);
  expect(told).toEqual([]);
});

test("a new connection is told where it is", () => {
  fader.set(0.75);
  clock.pass(1000);
  there.connected();
  clock.pass(1000);
  expect(told).toEqual([0.75, 0.75]);
});
