/** Draws the plot of the latency. A chunk of its own: uPlot is loaded when somebody opens it. */

import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import { columns, type Point, STAGES } from "./plot_data";

const HEIGHT_PX = 150;
/** From the first stage to the last: apart in lightness too, not in hue alone. */
const COLOURS = ["#5b6270", "#3d7ea6", "#3fa796", "#f4b24c", "#c97b4a", "#a35d8f"];

export interface PlotWords {
  p50: string;
  p95: string;
  stages: Readonly<Record<string, string>>;
}

export interface Plot {
  update(points: readonly Point[]): void;
  destroy(): void;
}

export function createPlot(place: HTMLElement, words: PlotWords): Plot {
  const style = getComputedStyle(place);
  const [text, line, accent] = ["--soft", "--line", "--text"].map((name) => style.getPropertyValue(name));
  const axis = { stroke: text ?? "", grid: { stroke: line ?? "", width: 1 }, ticks: { show: false } };
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT_PX,
      cursor: { y: false },
      scales: { x: { time: false }, y: { range: (_, __, max) => [0, Math.max(10, max * 1.1)] } },
      axes: [
        { ...axis, size: 24, values: (_, values) => values.map((value) => `${value} s`) },
        { ...axis, size: 44, values: (_, values) => values.map((value) => `${value} ms`) },
      ],
      series: [
        { value: () => "" },
        { label: words.p95, stroke: accent ?? "", width: 1, dash: [4, 3], value: ms },
        { label: words.p50, stroke: accent ?? "", width: 2, value: ms },
        ...[...STAGES.entries()].reverse().map(([index, stage]) => ({
          label: words.stages[stage] ?? stage,
          stroke: COLOURS[index] ?? "",
          fill: COLOURS[index] ?? "",
          width: 0,
          points: { show: false },
          value: (plot: uPlot, _: number, seriesIndex: number, at: number | null) => own(plot, seriesIndex, at),
        })),
      ],
    },
    columns([]) as uPlot.AlignedData,
    place,
  );
  const resized = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT_PX }));
  resized.observe(place);
  return {
    update: (points) => plot.setData(columns(points) as uPlot.AlignedData),
    destroy: () => {
      resized.disconnect();
      plot.destroy();
    },
  };
}

function ms(_: uPlot, value: number | null): string {
  return value === null ? "–" : value.toFixed(1);
}

/** A stage's own share of its stack. */
function own(plot: uPlot, seriesIndex: number, at: number | null): string {
  const index = at ?? plot.data[0].length - 1;
  const [sum, below] = [plot.data[seriesIndex]?.[index], plot.data[seriesIndex + 1]?.[index]];
  return typeof sum === "number" ? (sum - (below ?? 0)).toFixed(1) : "–";
}
