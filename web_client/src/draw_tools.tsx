/** The tools below the drawing surface: what draws, in which colour, how thick and how faint, and the way back. */

import type { Signal } from "@preact/signals";
import type { Client } from "./client";
import { PALETTE } from "./draw/colours";
import { WHOLE } from "./draw/place";
import { toolKeys } from "./draw_keys";
import { type IconName, Icon } from "./icons";
import { LayerList } from "./layer_list";
import { type DrawingCanvas, SIZE_PERCENT, tools } from "./sources/canvas";
import { strings } from "./strings";

export function DrawTools({ client }: { client: Client }) {
  const { canvas } = client.inputs;
  const words = strings.tools;
  return (
    <div class="draw-tools" role="group" aria-label={words.label}>
      <ToolButtons canvas={canvas} />
      <Colours canvas={canvas} />
      <Sliders canvas={canvas} />
      <LayerList client={client} />
      <div class="tools">
        <Check flag={client.refines} label={words.refine} hint={words.refineHint} />
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
  const { zoom } = canvas.place.value;
  return (
    <div class="tools">
      <div class="segmented">
        {tools.map((tool) => (
          <IconButton
            key={tool}
            icon={tool}
            label={words[tool]}
            shortcut={toolKeys[tool]}
            isPressed={canvas.tool.value === tool}
            press={() => (canvas.tool.value = tool)}
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
      {zoom > 1 && (
        <button type="button" title={`${words.fit} (0)`} onClick={() => (canvas.place.value = WHOLE)}>
          {words.zoomed(Math.round(zoom * 100))}
        </button>
      )}
    </div>
  );
}

function Colours({ canvas }: { canvas: DrawingCanvas }) {
  const words = strings.tools;
  const erases = canvas.tool.value === "eraser";
  const swatch = (colour: string, name: string) => (
    <button
      key={colour}
      type="button"
      class="swatch"
      style={{ "--colour": colour }}
      aria-label={name}
      title={name}
      aria-pressed={!erases && canvas.colour.value === colour}
      onClick={() => canvas.pickColour(colour)}
    />
  );
  return (
    <div class="palette">
      <label class="own-colour" style={{ "--colour": canvas.colour.value }} title={words.colour}>
        <input
          type="color"
          aria-label={words.colour}
          value={canvas.colour.value}
          onInput={(event) => canvas.pickColour(event.currentTarget.value)}
        />
      </label>
      {PALETTE.map((colour, index) => swatch(colour, words.palette[index] ?? colour))}
      {canvas.recent.value.map((colour) => swatch(colour, `${words.recent} ${colour}`))}
    </div>
  );
}

function Sliders({ canvas }: { canvas: DrawingCanvas }) {
  const words = strings.tools;
  const tool = canvas.tool.value;
  return (
    <div class="sliders">
      <Slider value={canvas.size} label={words.size} shortcut=", ." unit="%" {...SIZE_PERCENT} />
      <Slider value={canvas.opacity} label={words.opacity} shortcut="; :" unit="%" min={5} max={100} step={5} />
      {tool === "fill" && <Slider value={canvas.tolerance} label={words.tolerance} unit="%" min={0} max={60} step={1} />}
      {(tool === "rectangle" || tool === "ellipse") && <Check flag={canvas.fillsShapes} label={words.filled} />}
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

function Check({ flag, label, hint }: { flag: Signal<boolean>; label: string; hint?: string }) {
  return (
    <label class="inline detail" title={hint}>
      <input
        type="checkbox"
        checked={flag.value}
        onChange={(event) => {
          flag.value = event.currentTarget.checked;
        }}
      />
      {label}
    </label>
  );
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  shortcut?: string;
  isPressed?: boolean;
  isOff?: boolean;
  press: () => void;
}

/** The one kind of button without a word on it: a dozen words would leave no room for the drawing. */
export function IconButton({ icon, label, shortcut, isPressed, isOff = false, press }: IconButtonProps) {
  return (
    <button
      type="button"
      class="icon-only"
      aria-label={label}
      title={shortcut ? `${label} (${shortcut})` : label}
      aria-pressed={isPressed}
      disabled={isOff}
      onClick={press}
    >
      <Icon name={icon} />
    </button>
  );
}
