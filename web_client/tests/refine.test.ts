import { expect, test } from "vitest";
import { Refiner } from "../src/refine";
import { FakeClock } from "./fakes";

function refiner(isWanted = true) {
  const clock = new FakeClock();
  const log: string[] = [];
  const it = new Refiner({
    clock,
    isWanted: () => isWanted,
    lend: () => log.push("lend"),
    giveBack: () => log.push("give back"),
  });
  return { it, clock, log };
}

test("few steps begin with the movement and end with its rest", () => {
  const { it, clock, log } = refiner();
  for (let index = 0; index < 10; index++) {
    it.moved();
    clock.pass(100);
  }
  expect(log).toEqual(["lend"]);
  clock.pass(1000);
  expect(log).toEqual(["lend", "give back"]);
});

test("each movement begins anew", () => {
  const { it, clock, log } = refiner();
  it.moved();
  clock.pass(1000);
  it.moved();
  expect(log).toEqual(["lend", "give back", "lend"]);
});

test("where it isn't wanted nothing happens", () => {
  const { it, clock, log } = refiner(false);
  it.moved();
  clock.pass(1000);
  expect(log).toEqual([]);
});

test("a rest can be called at once, and only once", () => {
  const { it, clock, log } = refiner();
  it.moved();
  it.rest();
  it.rest();
  clock.pass(1000);
  expect(log).toEqual(["lend", "give back"]);
});
