import { expect, test } from "vitest";
import { Percentiles, Rate } from "../../src/receiving/stats";

test("ten events in a second are ten a second, and fall to zero when they stop", () => {
  const rate = new Rate();
  for (let time = 0; time <= 1000; time += 100) rate.tick(time);
  expect(rate.fps(1000)).toBeCloseTo(10);
  expect(rate.fps(2000)).toBeCloseTo(5);
  expect(rate.fps(9000)).toBe(0);
});

test("percentiles forget old samples, and are null without any", () => {
  const latency = new Percentiles();
  expect(latency.at(0.5, 0)).toBeNull();
  for (let value = 1; value <= 100; value++) latency.add(value, value);
  expect(latency.at(0.5, 100)).toBe(51);
  expect(latency.at(0.95, 100)).toBe(96);
  expect(latency.at(0.5, 10_000)).toBeNull();
});
