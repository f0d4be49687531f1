import { beforeEach, expect, test } from "vitest";
import { Fader } from "../../src/sources/fader";
import { FaderThere } from "../../src/studio/fader_there";
import { FakeClock } from "../fakes";

let clock: FakeClock;
let fader: Fader;
let told: number[];
let there: FaderThere;
let isConnected: boolean;

beforeEach(() => {
  clock = new FakeClock();
  fader = new Fader(clock, () => () => {});
  told = [];
  isConnected = true;
  there = new FaderThere({ clock, fader, tell: (at) => isConnected && told.push(at) > 0 });
  there.connected();
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

test("what others commanded while the page was away is followed when it is back, and not told back", () => {
  fader.set(0.75);
  clock.pass(1000);
  isConnected = false;
  clock.pass(1000);
  isConnected = true;
  there.connected({ at: 0.2, transition_s: 2 });
  clock.pass(3000);
  expect([fader.at.value, told]).toEqual([0.2, [0.75]]);
});

test("a hand that moved it here while the page was away has the last word", () => {
  isConnected = false;
  fader.set(0.5);
  clock.pass(1000);
  isConnected = true;
  there.connected({ at: 1, transition_s: 0 });
  clock.pass(1000);
  expect([fader.at.value, told]).toEqual([0.5, [0.5]]);
});

test("a fade that goes on through a cut keeps its pace", () => {
  fader.go(4);
  clock.pass(1000);
  there.connected({ at: 1, transition_s: 60 });
  clock.pass(3100);
  expect(fader.at.value).toBe(1);
});

test("nothing is told before there is a connection: where others have it counts then", () => {
  const early = new FaderThere({ clock, fader, tell: (at) => told.push(at) > 0 });
  clock.pass(1000);
  expect(told).toEqual([]);
  early.connected({ at: 0.3, transition_s: 0 });
  clock.pass(1000);
  // The other one of this test tells where it is now.
  expect([fader.at.value, told]).toEqual([0.3, [0.3]]);
});
