/** Draws the latency plot: stages as bands, percentiles as lines, their values in a legend. Knows no signals. */

import { nearest, type LatencySample, SPAN_S, stacked, STAGES, ticksTo, topOf } from "../../receiving/latency";

const HEIGHT_PX = 150;
const LEFT_PX = 60;
const BOTTOM_PX = 22;
const TIME_TICK_S = 15;
/** From the first stage to the last: apart in lightness too, not in hue alone. */
const COLOURS = ["#5b6270", "#3d7ea6", "#3fa796", "#f4b24c", "#c97b4a", "#a35d8f"];
const LINES = ["p50_ms", "p95_ms"] as const;
const DASH = { p50_ms: [], p95_ms: [4, 3] };

export interface PlotWords {
  p50: string;
  p95: string;
  stages: Readonly<Record<string, string>>;
}

export class Plot {
  readonly #canvas = document.createElement("canvas");
  readonly #legend = document.createElement("ul");
  readonly #values: HTMLElement[];
  readonly #resized: ResizeObserver;
  #samples: readonly LatencySample[] = [];
  /** The moment under the pointer, in seconds before now; null without one. */
  #ago_s: number | null = null;

  constructor(place: HTMLElement, words: PlotWords) {
    const names = [words.p50, words.p95, ...STAGES.map((stage) => words.stages[stage] ?? stage)];
    this.#values = names.map((name, index) => this.#addToLegend(name, index - LINES.length));
    place.replaceChildren(this.#canvas, this.#legend);
    this.#canvas.addEventListener("pointermove", ({ offsetX }) => {
      this.#ago_s = Math.max(0, SPAN_S * (1 - (offsetX - LEFT_PX) / this.#width));
      this.#draw();
    });
    this.#canvas.addEventListener("pointerleave", () => {
      this.#ago_s = null;
      this.#draw();
    });
    this.#resized = new ResizeObserver(() => this.#draw());
    this.#resized.observe(place);
  }

  update(samples: readonly LatencySample[]): void {
    this.#samples = samples;
    this.#draw();
  }

  destroy(): void {
    this.#resized.disconnect();
  }

  get #width(): number {
    return this.#canvas.clientWidth - LEFT_PX;
  }

  /** @param stage the stage's index; a percentile's is below 0. */
  #addToLegend(name: string, stage: number): HTMLElement {
    const entry = document.createElement("li");
    const mark = document.createElement("i");
    const value = document.createElement("b");
    if (stage >= 0) mark.style.background = COLOURS[stage] ?? "";
    else mark.className = LINES[stage + LINES.length] ?? "";
    entry.append(mark, `${name} `, value);
    this.#legend.append(entry);
    return value;
  }

  #draw(): void {
    const { clientWidth: width } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    if (!context || width <= LEFT_PX) return;
    const ratio = devicePixelRatio;
    [this.#canvas.width, this.#canvas.height] = [Math.round(width * ratio), Math.round(HEIGHT_PX * ratio)];
    context.scale(ratio, ratio);
    const style = getComputedStyle(this.#canvas);
    const colour = (name: string) => style.getPropertyValue(name);
    const top_ms = topOf(this.#samples);
    const now_s = this.#samples.at(-1)?.at_s ?? 0;
    const x = (at_s: number) => LEFT_PX + this.#width * (1 - (now_s - at_s) / SPAN_S);
    const y = (ms: number) => (HEIGHT_PX - BOTTOM_PX) * (1 - ms / top_ms);
    context.font = `${style.fontSize} ${style.fontFamily}`;
    this.#drawBands(context, x, y);
    this.#drawAxes(context, x, y, top_ms, now_s, colour);
    this.#drawLines(context, x, y, colour("--text"));
    const shown = nearest(this.#samples, this.#ago_s ?? 0);
    if (shown && this.#ago_s !== null) {
      context.fillStyle = colour("--text");
      context.fillRect(x(shown.at_s), 0, 1, HEIGHT_PX - BOTTOM_PX);
    }
    this.#say(shown);
  }

  /** The last stage first, since it reaches highest: each one after it covers what lies below. */
  #drawBands(context: CanvasRenderingContext2D, x: (at_s: number) => number, y: (ms: number) => number): void {
    const sums = this.#samples.map(stacked);
    for (const [stage] of [...STAGES.entries()].reverse()) {
      context.beginPath();
      context.moveTo(x(this.#samples[0]?.at_s ?? 0), y(0));
      for (const [index, { at_s }] of this.#samples.entries()) context.lineTo(x(at_s), y(sums[index]?.[stage] ?? 0));
      context.lineTo(x(this.#samples.at(-1)?.at_s ?? 0), y(0));
      context.fillStyle = COLOURS[stage] ?? "";
      context.fill();
    }
  }

  #drawAxes(
    context: CanvasRenderingContext2D,
    x: (at_s: number) => number,
    y: (ms: number) => number,
    top_ms: number,
    now_s: number,
    colour: (name: string) => string,
  ): void {
    const write = (text: string, at_x: number, at_y: number) => context.fillText(text, at_x, at_y);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const ms of ticksTo(top_ms)) {
      context.fillStyle = colour("--line");
      context.fillRect(LEFT_PX, Math.round(y(ms)), this.#width, 1);
      context.fillStyle = colour("--soft");
      write(`${ms} ms`, LEFT_PX - 6, Math.max(8, y(ms)));
    }
    for (let ago_s = 0; ago_s <= SPAN_S; ago_s += TIME_TICK_S) {
      context.textAlign = ago_s === 0 ? "right" : ago_s === SPAN_S ? "left" : "center";
      write(`${-ago_s} s`, x(now_s - ago_s), HEIGHT_PX - BOTTOM_PX / 2);
    }
  }

  #drawLines(
    context: CanvasRenderingContext2D,
    x: (at_s: number) => number,
    y: (ms: number) => number,
    colour: string,
  ): void {
    context.strokeStyle = colour;
    context.lineWidth = 1.5;
    for (const line of LINES) {
      context.setLineDash(DASH[line]);
      context.beginPath();
      for (const point of this.#samples) {
        const ms = point[line];
        if (ms !== null) context.lineTo(x(point.at_s), y(ms));
      }
      context.stroke();
    }
    context.setLineDash([]);
  }

  /** Writes what a moment took into the legend. */
  #say(point: LatencySample | null): void {
    const values = point ? [point.p50_ms, point.p95_ms, ...point.stage_ms] : [];
    for (const [index, place] of this.#values.entries()) place.textContent = values[index]?.toFixed(1) ?? "–";
  }
}
