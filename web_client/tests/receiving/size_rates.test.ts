import { beforeEach, expect, test } from "vitest";
import type { Governor, Params, Stats } from "../../src/protocol";
import { SizeRates } from "../../src/receiving/size_rates";

const square = { version: 1, width: 256, height: 256, num_inference_steps: 1 } as Params;
const wide = { ...square, width: 336, height: 192 } as Params;
const governor = { width: 128, height: 128 } as Governor;

let rates: SizeRates;
let now_ms: number;

beforeEach(() => {
  rates = new SizeRates();
  now_ms = 0;
});

/** So many seconds of one rate. */
function pass(seconds: number, fps_out: number, params: Params, more: Partial<Stats> = {}, isLive = true): void {
  for (let second = 0; second < seconds; second++) {
    now_ms += 1000;
    rates.add(now_ms, { fps_out, repeated: 0, ...more } as Stats, "tiny", params, isLive);
  }
}

const measured = () => Object.fromEntries(rates.measured.value);

test("a size has a rate once it was in force for some seconds, and none before", () => {
  pass(5, 30, square);
  expect(measured()).toEqual({});
  pass(3, 30, square);
  expect(measured()).toEqual({ "256×256": 30 });
});

test("what a new size takes at first is not measured, and the sizes before keep their rates", () => {
  pass(8, 30, square);
  pass(4, 2, wide);
  expect(measured()).toEqual({ "256×256": 30 });
  pass(8, 20, wide);
  expect(measured()).toEqual({ "256×256": 30, "336×192": 20 });
});

test("nothing is measured of a still, of what is frozen, and of what the server makes smaller", () => {
  pass(20, 4, square, {}, false);
  pass(20, 60, square, { governor });
  pass(20, 0, square);
  expect(measured()).toEqual({});
});

test("seconds in which mostly nothing was new say nothing of the server", () => {
  for (let second = 0; second < 20; second++) pass(1, 30, square, { repeated: 25 * second });
  expect(measured()).toEqual({});
});

test("other steps, or another model, make all rates unknown", () => {
  pass(10, 30, square);
  pass(1, 30, { ...square, num_inference_steps: 4 } as Params);
  expect(measured()).toEqual({});
});
