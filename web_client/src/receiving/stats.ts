/** Rates and percentiles over the last seconds. Pure: time is handed in. */

const SPAN_MS = 3000;

/** Events a second over the last few seconds. */
export class Rate {
  #times: number[] = [];

  tick(now_ms: number): void {
    this.#times.push(now_ms);
    this.#forget(now_ms);
  }

  fps(now_ms: number): number {
    this.#forget(now_ms);
    const first = this.#times[0];
    if (first === undefined || this.#times.length < 2) return 0;
    // From the first event until now, not until the last one: a stream that stops must fall to zero.
    return ((this.#times.length - 1) * 1000) / Math.max(now_ms - first, 1);
  }

  #forget(now_ms: number): void {
    const keep = this.#times.findIndex((time) => now_ms - time <= SPAN_MS);
    this.#times = keep < 0 ? [] : this.#times.slice(keep);
  }
}

/** Percentiles of the values of the last few seconds. */
export class Percentiles {
  #samples: { at_ms: number; value: number }[] = [];

  add(now_ms: number, value: number): void {
    this.#samples.push({ at_ms: now_ms, value });
    this.#forget(now_ms);
  }

  /** The value that a share `q` (0–1) of the samples doesn't exceed; null without samples. */
  at(q: number, now_ms: number): number | null {
    this.#forget(now_ms);
    const values = this.#samples.map((sample) => sample.value).sort((a, b) => a - b);
    return values[Math.min(values.length - 1, Math.floor(q * values.length))] ?? null;
  }

  #forget(now_ms: number): void {
    this.#samples = this.#samples.filter((sample) => now_ms - sample.at_ms <= SPAN_MS);
  }
}
