/** The last minute of latency as samples, and the plot's scale over them. Pure. */

import type { Stats } from "../protocol";
import type { Measurements } from "./meter";

export const STAGES = ["queue", "decode", "encode_latents", "denoise", "decode_latents", "encode"] as const;
/** One a second. */
export const SPAN_S = 60;
/** Below this nothing is to be told apart, and the axis would jump about. */
const SMALLEST_TOP_MS = 10;
const WANTED_TICKS = 3;

export interface LatencySample {
  at_s: number;
  /** Of each stage, in the order of STAGES. */
  stage_ms: number[];
  p50_ms: number | null;
  p95_ms: number | null;
}

export function withSample(samples: readonly LatencySample[], now_ms: number, stats: Stats, page: Measurements): LatencySample[] {
  const stage_ms = STAGES.map((stage) => stats.stage_ms[stage] ?? 0);
  // A video tells no latency of its own: then it is the server's.
  const p50_ms = page.latency_p50_ms ?? stats.latency_ms.p50 ?? null;
  const p95_ms = page.latency_p95_ms ?? stats.latency_ms.p95 ?? null;
  return [...samples, { at_s: now_ms / 1000, stage_ms, p50_ms, p95_ms }].slice(-SPAN_S);
}

/** The upper edge of each stage's band, stacked on those before it. */
export function stacked({ stage_ms }: LatencySample): number[] {
  let sum_ms = 0;
  return stage_ms.map((ms) => (sum_ms += ms));
}

/** The upper end of the axis: a little more than the highest. */
export function topOf(samples: readonly LatencySample[]): number {
  const highest = samples.map((sample) => Math.max(stacked(sample).at(-1) ?? 0, sample.p50_ms ?? 0, sample.p95_ms ?? 0));
  return Math.max(SMALLEST_TOP_MS, 1.1 * Math.max(0, ...highest));
}

/** Round values from 0 up to `top`: 1, 2 or 5 of some power of ten apart. */
export function ticksTo(top: number): number[] {
  const rough = top / WANTED_TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((each) => each * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step);
}

/** The sample nearest to a moment, in seconds before the newest; null where there is none. */
export function nearest(samples: readonly LatencySample[], ago_s: number): LatencySample | null {
  const now_s = samples.at(-1)?.at_s ?? 0;
  const distance = ({ at_s }: LatencySample) => Math.abs(now_s - at_s - ago_s);
  return samples.reduce<LatencySample | null>((best, each) => (best && distance(best) <= distance(each) ? best : each), null);
}
