/** How the tool in hand draws: sizes, softness, symmetry, a layer's place. */

import type { Signal } from "@preact/signals";
import { SHORTER_SIDE_PX, type Shift } from "../../draw/geometry";
import { symmetries } from "../../draw/symmetry";
import {
  CORNERS,
  OPACITY_PERCENT,
  SIZE_PERCENT,
  SOFTNESS_PERCENT,
  type Tool,
  TOLERANCE_PERCENT,
} from "../../draw/toolbox";
import { strings } from "../../languages/strings";
import type { DrawingCanvas } from "../../sources/canvas";
import type { Client } from "../../studio/client";
import { Check } from "../widgets/check";
import { Select } from "../widgets/select";
import { useTextOf } from "../widgets/text_of";

const STROKES: ReadonlySet<Tool> = new Set(["brush", "eraser"]);
const AREAS: ReadonlySet<Tool> = new Set(["rectangle", "ellipse", "polygon", "star"]);
const CORNERED: ReadonlySet<Tool> = new Set(["polygon", "star"]);

export function ToolOptions({ client, canvas }: { client: Client; canvas: DrawingCanvas }) {
  const words = strings.tools;
  return (
    <div class="tool-options" role="group" aria-label={words.options}>
      <OwnOptions canvas={canvas} />
      <Check of={client.refines} label={words.refine} hint={words.refineHint} isDetail />
      {canvas.hasPen.value && (
        <label class="inline detail">
          <input
            type="checkbox"
            checked={canvas.fingerDraws.value}
            onChange={(event) => canvas.letFingersDraw(event.currentTarget.checked)}
          />
          {words.fingerDraws}
        </label>
      )}
    </div>
  );
}

function OwnOptions({ canvas }: { canvas: DrawingCanvas }) {
  const words = strings.tools;
  const { toolbox } = canvas;
  const tool = toolbox.tool.value;
  if (tool === "move") return <LayerPlace canvas={canvas} />;
  if (tool === "lasso" || tool === "pick" || tool === "hand") return <p class="detail">{words.hints[tool]}</p>;
  const opacity = <Slider value={toolbox.opacity} label={words.opacity} shortcut="; :" unit=" %" {...OPACITY_PERCENT} />;
  if (tool === "fill") {
    return (
      <>
        {opacity}
        <Slider value={toolbox.tolerance} label={words.tolerance} unit=" %" {...TOLERANCE_PERCENT} />
      </>
    );
  }
  return (
    <>
      <Slider value={toolbox.size} label={words.size} shortcut=", ." unit=" %" {...SIZE_PERCENT} />
      {opacity}
      {STROKES.has(tool) && <Slider value={toolbox.softness} label={words.softness} unit=" %" {...SOFTNESS_PERCENT} />}
      {CORNERED.has(tool) && <Slider value={toolbox.corners} label={words.corners} unit="" {...CORNERS} />}
      {AREAS.has(tool) && <Check of={toolbox.fillsShapes} label={words.filled} isDetail />}
      <Select
        label={words.symmetry}
        class="option symmetry"
        value={toolbox.symmetry.value}
        options={symmetries.map((each) => [each, words.symmetries[each]] as const)}
        choose={(chosen) => {
          toolbox.symmetry.value = chosen;
        }}
      />
    </>
  );
}

interface SliderProps {
  value: Signal<number>;
  label: string;
  shortcut?: string;
  unit: string;
  min: number;
  max: number;
  step: number;
}

function Slider({ value, label, shortcut, unit, ...range }: SliderProps) {
  return (
    <label class="slider" title={shortcut ? `${label} (${shortcut})` : label}>
      <span>
        {label} <b>{`${value.value}${unit}`}</b>
      </span>
      <input
        type="range"
        {...range}
        value={value.value}
        onInput={(event) => {
          value.value = event.currentTarget.valueAsNumber;
        }}
      />
    </label>
  );
}

const SCALE_PERCENT = { min: 5, max: 800, step: 1 };
const DISTANCE_PERCENT = { min: -400, max: 400, step: 1 };

/** The layer's size and place as numbers, for the keyboard and for exact values. */
function LayerPlace({ canvas }: { canvas: DrawingCanvas }) {
  const words = strings.layers;
  const shift = canvas.drawing.shift.value;
  const put = (change: Partial<Shift>) => canvas.shift({ ...shift, ...change });
  const distance = (px: number) => (100 * px) / SHORTER_SIDE_PX;
  const pixels = (percent: number) => Math.round((percent * SHORTER_SIDE_PX) / 100);
  return (
    <>
      <Percent label={words.scale} value={100 * shift.scale} {...SCALE_PERCENT} take={(to) => put({ scale: to / 100 })} />
      <Percent label={words.toRight} value={distance(shift.dx)} {...DISTANCE_PERCENT} take={(to) => put({ dx: pixels(to) })} />
      <Percent label={words.toBottom} value={distance(shift.dy)} {...DISTANCE_PERCENT} take={(to) => put({ dy: pixels(to) })} />
    </>
  );
}

interface PercentProps {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  take: (value: number) => void;
}

function Percent({ label, value, min, max, step, take }: PercentProps) {
  const shown = String(Math.round(value));
  const text = useTextOf<HTMLInputElement>(shown, shown, () => {});
  return (
    <label class="option">
      <span>{label}, %</span>
      <input
        type="number"
        {...{ min, max, step }}
        {...text}
        onChange={(event) => {
          const typed = event.currentTarget.valueAsNumber;
          if (!Number.isNaN(typed)) take(Math.min(max, Math.max(min, typed)));
        }}
      />
    </label>
  );
}
