import { beforeEach, describe, expect, test } from "vitest";
import { Fader } from "../../src/sources/fader";
import { FakeClock } from "../fakes";

let clock: FakeClock;
let fader: Fader;
let ticks: Set<() => void>;

beforeEach(() => {
  clock = new FakeClock();
  ticks = new Set();
  fader = new Fader(clock, (action) => {
    ticks.add(action);
    return () => void ticks.delete(action);
  });
});

describe("by itself", () => {
  test("it takes the time that it is told, evenly", () => {
    fader.go(2);
    clock.pass(1000);
    expect(fader.at.value).toBeCloseTo(0.5, 1);
    expect(fader.goal.value).toBe(1);
    clock.pass(1100);
    expect(fader.at.value).toBe(1);
    expect(fader.goal.value).toBeNull();
  });

  test("it goes back from the far end, and from the middle of the way in as much of the time", () => {
    fader.set(1);
    fader.go(1);
    clock.pass(500);
    fader.go(1);
    expect(fader.goal.value).toBe(1);
    clock.pass(550);
    expect(fader.at.value).toBe(1);
  });

  test("it goes on while the page is hidden, when there is no repaint", () => {
    clock.frame = () => () => {};
    fader.go(1);
    clock.pass(400);
    for (const tick of [...ticks]) tick();
    expect(fader.at.value).toBeCloseTo(0.4);
    clock.pass(700);
    for (const tick of [...ticks]) tick();
    expect(fader.at.value).toBe(1);
    expect(ticks.size).toBe(0);
  });

  test("it goes to a place in so many seconds, however far that is, and back from there", () => {
    fader.goTo(0.5, 2);
    clock.pass(1000);
    expect(fader.at.value).toBeCloseTo(0.25, 1);
    expect(fader.goal.value).toBe(0.5);
    clock.pass(1100);
    expect(fader.at.value).toBe(0.5);
    fader.go(1);
    expect(fader.goal.value).toBe(0);
  });

  test("in no time it is there", () => {
    fader.go(0);
    expect(fader.at.value).toBe(1);
    expect(ticks.size).toBe(0);
  });
});

describe("by hand", () => {
  test("whatever it did by itself ends, and it stays within its ends", () => {
    fader.go(1);
    clock.pass(300);
    fader.set(1.4);
    clock.pass(1000);
    expect(fader.at.value).toBe(1);
    fader.set(-1);
    expect(fader.at.value).toBe(0);
    expect(fader.goal.value).toBeNull();
    expect(ticks.size).toBe(0);
  });

  test("a cut goes to the other deck, and in the middle of a fade to where that came from", () => {
    fader.cut();
    expect(fader.at.value).toBe(1);
    fader.cut();
    expect(fader.at.value).toBe(0);
    fader.go(1);
    clock.pass(700);
    fader.cut();
    expect(fader.at.value).toBe(0);
  });
});
