/** The last minute of latency for the plot: the server's stages stacked, and what this page measured. Pure. */

import type { Measurements } from "./meter";
import type { Stats } from "./protocol";

export const STAGES = ["queue", "decode", "encode_latents", "denoise", "decode_latents", "encode"] as const;
const MAX_POINTS = 60;

export interface Point {
  at_s: number;
  /** Of each stage, in the order of STAGES. */
  stage_ms: number[];
  p50_ms: number | null;
  p95_ms: number | null;
}

export function withPoint(points: readonly Point[], now_ms: number, stats: Stats, page: Measurements): Point[] {
  const stage_ms = STAGES.map((stage) => stats.stage_ms[stage] ?? 0);
  // A video tells no latency of its own: then it is the server's.
  const p50_ms = page.latency_p50_ms ?? stats.latency_ms.p50 ?? null;
  const p95_ms = page.latency_p95_ms ?? stats.latency_ms.p95 ?? null;
  return [...points, { at_s: now_ms / 1000, stage_ms, p50_ms, p95_ms }].slice(-MAX_POINTS);
}

/** Columns for a plot: seconds before now, p95, p50, and the stages summed up, the last stage first. */
export function columns(points: readonly Point[]): (number | null)[][] {
  const now_s = points.at(-1)?.at_s ?? 0;
  const sums = points.map(({ stage_ms }) => stage_ms.map((_, last) => total(stage_ms.slice(0, last + 1))));
  const stacked = STAGES.map((_, stage) => sums.map((sum) => sum[stage] ?? 0)).reverse();
  return [
    points.map(({ at_s }) => at_s - now_s),
    points.map(({ p95_ms }) => p95_ms),
    points.map(({ p50_ms }) => p50_ms),
    ...stacked,
  ];
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
