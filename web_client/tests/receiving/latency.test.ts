import { expect, test } from "vitest";
import type { Stats } from "../../src/protocol";
import { nearest, type LatencySample, stacked, ticksTo, topOf, withSample } from "../../src/receiving/latency";

const stats = {
  stage_ms: { queue: 1, decode: 2, denoise: 10, encode: 0.5 },
  latency_ms: { p50: 14, p95: 20 },
} as unknown as Stats;
const page = { sent_fps: 0, shown_fps: 0, latency_p50_ms: 30, latency_p95_ms: 40, link: null };

function aMinuteAndMore(): LatencySample[] {
  let points: LatencySample[] = [];
  for (let second = 0; second < 100; second++) points = withSample(points, second * 1000, stats, page);
  return points;
}

test("stages lie on top of each other, and all that is measured is below the top", () => {
  const points = withSample([], 5000, stats, page);
  expect(stacked(points[0] as LatencySample)).toEqual([1, 3, 3, 13, 13, 13.5]);
  expect(points[0]).toMatchObject({ at_s: 5, p50_ms: 30, p95_ms: 40 });
  expect(topOf(points)).toBeCloseTo(44);
  expect(topOf([])).toBe(10);
});

test("a video's latency is what the server says", () => {
  const [point] = withSample([], 0, stats, { ...page, latency_p50_ms: null, latency_p95_ms: null });
  expect([point?.p50_ms, point?.p95_ms]).toEqual([14, 20]);
});

test("a minute is kept, up to now", () => {
  const points = aMinuteAndMore();
  expect([points.length, points[0]?.at_s, points.at(-1)?.at_s]).toEqual([60, 40, 99]);
});

test.each([
  [10, [0, 5, 10]],
  [44, [0, 20, 40]],
  [350, [0, 200]],
  [1200, [0, 500, 1000]],
])("an axis up to %i has round ticks", (top, ticks) => {
  expect(ticksTo(top)).toEqual(ticks);
});

test("a moment is told by the point that is nearest", () => {
  const points = aMinuteAndMore();
  expect(nearest(points, 0)?.at_s).toBe(99);
  expect(nearest(points, 10.4)?.at_s).toBe(89);
  expect(nearest(points, 1000)?.at_s).toBe(40);
  expect(nearest([], 0)).toBeNull();
});
