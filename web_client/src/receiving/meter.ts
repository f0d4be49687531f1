/** Measures this page's rates and latencies, read twice a second so that showing them costs nothing. */

import { signal } from "@preact/signals";
import type { Clock } from "../browser/clock";
import type { LinkMeasurements } from "../connection/link";
import { Flag, type Frame } from "../protocol";
import { Percentiles, Rate } from "./stats";

export interface Measurements {
  sent_fps: number;
  shown_fps: number;
  /** From capture to the screen, both by this page's clock; null while nothing arrives. */
  latency_p50_ms: number | null;
  latency_p95_ms: number | null;
  /** A video transport's own measurements; null where frames carry their times. */
  link: LinkMeasurements | null;
}

const READ_EVERY_MS = 500;

export class Meter {
  readonly now = signal<Measurements>({
    sent_fps: 0,
    shown_fps: 0,
    latency_p50_ms: null,
    latency_p95_ms: null,
    link: null,
  });
  /** The params that made the picture on the screen; null before the first. */
  readonly paramsVersion = signal<number | null>(null);

  /** The number of results that said nothing had changed. */
  readonly repeats = signal(0);

  readonly #clock: Clock;
  readonly #measureLink: () => Promise<LinkMeasurements | null>;
  readonly #sent = new Rate();
  readonly #shown = new Rate();
  readonly #latency = new Percentiles();

  constructor(clock: Clock, measureLink: () => Promise<LinkMeasurements | null>) {
    this.#clock = clock;
    this.#measureLink = measureLink;
    clock.after(READ_EVERY_MS, this.#read);
  }

  sent(): void {
    this.#sent.tick(this.#clock.now());
  }

  shown(frame: Frame): void {
    const now_ms = this.#clock.now();
    this.#shown.tick(now_ms);
    this.#latency.add(now_ms, now_ms - Number(frame.captured_us) / 1000);
    this.paramsVersion.value = frame.params_version;
    if (frame.flags & Flag.repeat) this.repeats.value++;
  }

  /** Pictures of a video were on the screen; none says which params made it, so these are the ones in force. */
  played(pictures: number, paramsVersion: number | null): void {
    for (let picture = 0; picture < pictures; picture++) this.#shown.tick(this.#clock.now());
    this.paramsVersion.value = paramsVersion;
  }

  readonly #read = async (): Promise<void> => {
    const link = await this.#measureLink();
    const now_ms = this.#clock.now();
    this.now.value = {
      sent_fps: this.#sent.fps(now_ms),
      shown_fps: this.#shown.fps(now_ms),
      latency_p50_ms: this.#latency.at(0.5, now_ms),
      latency_p95_ms: this.#latency.at(0.95, now_ms),
      link,
    };
    this.#clock.after(READ_EVERY_MS, this.#read);
  };
}
