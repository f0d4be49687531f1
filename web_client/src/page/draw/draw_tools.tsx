/** The tools below the drawing surface: tools, colours, sliders, layers, undo. */

import type { Signal } from "@preact/signals";
import { PALETTE } from "../../draw/colours";
import { SHORTER_SIDE_PX, type Shift } from "../../draw/geometry";
import { WHOLE } from "../../draw/place";
import { OPACITY_PERCENT, SIZE_PERCENT, TOLERANCE_PERCENT, tools } from "../../draw/toolbox";
import { strings } from "../../languages/strings";
import type { DrawingCanvas } from "../../sources/canvas";
import type { Client } from "../../studio/client";
import { Check } from "../widgets/check";
import { IconButton } from "../widgets/icon_button";
import { useTextOf } from "../widgets/text_of";
import { toolKeys } from "./draw_keys";
import { LayerList } from "./layer_list";

export function DrawTools({ client }: { client: Client }) {
  const { canvas } = client.inputs;
  const words = strings.tools;
  return (
    <div class="draw-tools" role="group" aria-label={words.label} data-draw-keys="true">
      <ToolButtons canvas={canvas} />
      <Colours canvas={canvas} />
      <Sliders canvas={canvas} />
      <LayerList client={client} />
      <div class="tools">
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
    </div>
  );
}

function ToolButtons({ canvas }: { canvas: DrawingCanvas }) {
  const words = strings.tools;
  const { zoom } = canvas.viewpoint.place.value;
  return (
    <div class="tools">
      <div class="segmented">
        {tools.map((tool) => (
          <IconButton
            key={tool}
            icon={tool}
            label={words[tool]}
            shortcut={toolKeys[tool]}
            isPressed={canvas.toolbox.tool.value === tool}
            press={() => (canvas.toolbox.tool.value = tool)}
          />
        ))}
      </div>
      <div class="segmented">
        <IconButton
          icon="undo"
          label={words.undo}
          shortcut={words.undoKeys}
          isOff={!canvas.drawing.canUndo.value}
          press={() => canvas.undo()}
        />
        <IconButton
          icon="redo"
          label={words.redo}
          shortcut={words.redoKeys}
          isOff={!canvas.drawing.canRedo.value}
          press={() => canvas.redo()}
        />
        <IconButton icon="clear" label={words.clear} shortcut={words.clearKey} press={() => canvas.drawing.clearLayer()} />
      </div>
      <button
        type="button"
        class="zoom"
        title={`${words.fit} (0)`}
        disabled={zoom <= 1}
        onClick={() => (canvas.viewpoint.place.value = WHOLE)}
      >
        {words.zoomed(Math.round(zoom * 100))}
      </button>
    </div>
  );
}

function Colours({ canvas }: { canvas: DrawingCanvas }) {
  const { toolbox } = canvas;
  const words = strings.tools;
  const erases = toolbox.tool.value === "eraser";
  const swatch = (colour: string, name: string) => (
    <button
      key={colour}
      type="button"
      class="swatch"
      style={{ "--colour": colour }}
      aria-label={name}
      title={name}
      aria-pressed={!erases && toolbox.colour.value === colour}
      onClick={() => toolbox.pick(colour)}
    />
  );
  return (
    <div class="palette">
      <label class="own-colour" style={{ "--colour": toolbox.colour.value }} title={words.colour}>
        <input
          type="color"
          aria-label={words.colour}
          value={toolbox.colour.value}
          onInput={(event) => toolbox.pick(event.currentTarget.value)}
        />
      </label>
      {PALETTE.map((colour, index) => swatch(colour, words.palette[index] ?? colour))}
      {toolbox.recent.value.map((colour) => swatch(colour, `${words.recent} ${colour}`))}
    </div>
  );
}

function Sliders({ canvas }: { canvas: DrawingCanvas }) {
  const words = strings.tools;
  const { toolbox } = canvas;
  const tool = toolbox.tool.value;
  if (tool === "move") return <LayerPlace canvas={canvas} />;
  return (
    <div class="sliders">
      <Slider value={toolbox.size} label={words.size} shortcut=", ." unit="%" {...SIZE_PERCENT} />
      <Slider value={toolbox.opacity} label={words.opacity} shortcut="; :" unit="%" {...OPACITY_PERCENT} />
      {tool === "fill" && <Slider value={toolbox.tolerance} label={words.tolerance} unit="%" {...TOLERANCE_PERCENT} />}
      {(tool === "rectangle" || tool === "ellipse") && <Check of={toolbox.fillsShapes} label={words.filled} isDetail />}
    </div>
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
        {label} <b>{`${value.value} ${unit}`}</b>
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
    <div class="layer-place">
      <Percent label={words.scale} value={100 * shift.scale} {...SCALE_PERCENT} take={(to) => put({ scale: to / 100 })} />
      <Percent label={words.toRight} value={distance(shift.dx)} {...DISTANCE_PERCENT} take={(to) => put({ dx: pixels(to) })} />
      <Percent label={words.toBottom} value={distance(shift.dy)} {...DISTANCE_PERCENT} take={(to) => put({ dy: pixels(to) })} />
    </div>
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
