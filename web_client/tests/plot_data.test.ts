import { expect, test } from "vitest";
import { columns, type Point, withPoint } from "../src/plot_data";
import type { Stats } from "../src/protocol";

const stats = {
  stage_ms: { queue: 1, decode: 2, denoise: 10, encode: 0.5 },
  latency_ms: { p50: 14, p95: 20 },
} as unknown as Stats;
const page = { sent_fps: 0, shown_fps: 0, latency_p50_ms: 30, latency_p95_ms: 40, link: null };

test("stages lie on top of each other, and the page's own latency is above", () => {
  const [seconds, p95, p50, ...stages] = columns(withPoint([], 5000, stats, page));
  expect([seconds, p95, p50]).toEqual([[0], [40], [30]]);
  expect(stages.flat()).toEqual([13.5, 13, 13, 3, 3, 1]);
});

test("a video's latency is what the server says", () => {
  const [point] = withPoint([], 0, stats, { ...page, latency_p50_ms: null, latency_p95_ms: null });
  expect([point?.p50_ms, point?.p95_ms]).toEqual([14, 20]);
});

test("a minute is kept, and time runs up to now", () => {
  let points: Point[] = [];
  for (let second = 0; second < 100; second++) points = withPoint(points, second * 1000, stats, page);
  const [seconds] = columns(points);
  expect([seconds?.length, seconds?.[0], seconds?.at(-1)]).toEqual([60, -59, 0]);
});
