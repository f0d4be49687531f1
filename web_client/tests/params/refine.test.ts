import { expect, test } from "vitest";
import { ParamsStore } from "../../src/params/params";
import { Refiner } from "../../src/params/refine";
import type { Params, Value } from "../../src/protocol";
import { FakeClock } from "../fakes";

function refiner(isWanted = true) {
  const clock = new FakeClock();
  const log: string[] = [];
  const it = new Refiner({
    clock,
    isWanted: () => isWanted,
    lend: () => log.push("lend") > 0,
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

test("a stroke that begins before the setting is in force gets few steps as soon as it is, once", () => {
  const clock = new FakeClock();
  const sent: Record<string, Value>[] = [];
  const params = new ParamsStore({ clock, send: (patch) => sent.push(patch) > 0 });
  const first: Params = { version: 1, width: 256, height: 256, prompt: "ink", strength: 0.5, steps: 2 };
  const it = new Refiner({
    clock,
    isWanted: () => true,
    lend: () => params.lend("steps", 1),
    giveBack: () => params.giveBack("steps"),
  });
  params.confirm(first);
  params.edit("steps", 4, "sliding");
  clock.pass(16);
  it.moved();
  expect(sent).toEqual([{ steps: 4 }]);
  params.confirm({ ...first, version: 2, steps: 4 });
  it.moved();
  it.moved();
  expect(sent).toEqual([{ steps: 4 }, { steps: 1 }]);
  params.confirm({ ...first, version: 3, steps: 3 });
  it.moved();
  expect(sent).toHaveLength(2);
  clock.pass(1000);
  expect(params.shown.value.steps).toBe(3);
});
