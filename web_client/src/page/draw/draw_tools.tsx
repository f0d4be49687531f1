/** The tools on the left of the drawing surface: what draws, undo, zoom, colours. */

import { PALETTE } from "../../draw/colours";
import { WHOLE } from "../../draw/place";
import { tools } from "../../draw/toolbox";
import { strings } from "../../languages/strings";
import type { DrawingCanvas } from "../../sources/canvas";
import { IconButton } from "../widgets/icon_button";
import { toolKeys } from "./draw_keys";

/** Of the colours used last, as many as make a row. */
const RECENT_SHOWN = 3;

export function DrawTools({ canvas }: { canvas: DrawingCanvas }) {
  return (
    <div class="draw-tools" role="group" aria-label={strings.tools.label} data-draw-keys="true">
      <ToolButtons canvas={canvas} />
      <WayBack canvas={canvas} />
      <Colours canvas={canvas} />
    </div>
  );
}

function ToolButtons({ canvas: { toolbox } }: { canvas: DrawingCanvas }) {
  return (
    <div class="tool-grid">
      {tools.map((tool) => (
        <IconButton
          key={tool}
          icon={tool}
          label={strings.tools[tool]}
          shortcut={toolKeys[tool]}
          isPressed={toolbox.tool.value === tool}
          press={() => {
            toolbox.tool.value = tool;
          }}
        />
      ))}
    </div>
  );
}

function WayBack({ canvas }: { canvas: DrawingCanvas }) {
  const words = strings.tools;
  const { zoom } = canvas.viewpoint.place.value;
  return (
    <div class="tool-grid">
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
      <IconButton icon="clear" label={words.clear} shortcut={words.clearKey} press={() => canvas.clear()} />
      <button
        type="button"
        class="zoom"
        aria-label={words.zoomed(Math.round(zoom * 100))}
        title={`${words.fit} (0)`}
        disabled={zoom <= 1}
        onClick={() => {
          canvas.viewpoint.place.value = WHOLE;
        }}
      >
        {Math.round(zoom * 100)} %
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
    <div class="tool-grid">
      <label class="own-colour" style={{ "--colour": toolbox.colour.value }} title={words.colour}>
        <input
          type="color"
          aria-label={words.colour}
          value={toolbox.colour.value}
          onInput={(event) => toolbox.pick(event.currentTarget.value)}
        />
      </label>
      {PALETTE.map((colour, index) => swatch(colour, words.palette[index] ?? colour))}
      {toolbox.recent.value.slice(0, RECENT_SHOWN).map((colour) => swatch(colour, `${words.recent} ${colour}`))}
    </div>
  );
}
