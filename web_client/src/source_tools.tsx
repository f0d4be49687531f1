/** The tools below the input: the camera's device and mirror, the drawing's brush and colours. */

import { Icon } from "./icons";
import type { Camera } from "./sources/camera";
import type { DrawingCanvas, Tool } from "./sources/canvas";
import { strings } from "./strings";

const COLOURS = ["#15161a", "#ffffff", "#d8322a", "#ee8a1d", "#f4cf3a", "#2f9e5b", "#2f6fd6", "#7a4a2b"];
const TOOLS: Tool[] = ["brush", "eraser"];
const MAX_SIZE_PERCENT = 20;

export function CameraTools({ camera, choose }: { camera: Camera; choose: (deviceId: string) => void }) {
  const words = strings.source;
  return (
    <div class="tools">
      <label class="inline grow">
        <span class="hidden">{words.device}</span>
        <select value={camera.deviceId.value} onChange={(event) => choose(event.currentTarget.value)}>
          {camera.devices.value.map((device, index) => (
            <option key={device.deviceId} value={device.deviceId}>
              {device.label || words.unnamedDevice(index + 1)}
            </option>
          ))}
        </select>
      </label>
      <label class="inline">
        <input
          type="checkbox"
          checked={camera.mirrored.value}
          onChange={(event) => {
            camera.mirrored.value = event.currentTarget.checked;
          }}
        />
        {words.mirror}
      </label>
    </div>
  );
}

export function CanvasTools({ canvas }: { canvas: DrawingCanvas }) {
  const words = strings.tools;
  const pick = (colour: string) => {
    canvas.colour.value = colour;
    canvas.tool.value = "brush";
  };
  return (
    <div class="tools" role="group" aria-label={words.label}>
      <div class="segmented">
        {TOOLS.map((tool) => (
          <button
            key={tool}
            type="button"
            aria-pressed={canvas.tool.value === tool}
            onClick={() => {
              canvas.tool.value = tool;
            }}
          >
            <Icon name={tool} />
            {words[tool]}
          </button>
        ))}
      </div>
      <div class="palette">
        {COLOURS.map((colour, index) => (
          <button
            key={colour}
            type="button"
            class="swatch"
            style={{ "--colour": colour }}
            aria-label={words.palette[index]}
            title={words.palette[index]}
            aria-pressed={canvas.tool.value === "brush" && canvas.colour.value === colour}
            onClick={() => pick(colour)}
          />
        ))}
        <input
          type="color"
          aria-label={words.colour}
          title={words.colour}
          value={canvas.colour.value}
          onInput={(event) => pick(event.currentTarget.value)}
        />
      </div>
      <label class="inline grow">
        <span>{words.size}</span>
        <input
          type="range"
          min={0.5}
          max={MAX_SIZE_PERCENT}
          step={0.5}
          value={canvas.size.value}
          onInput={(event) => {
            canvas.size.value = event.currentTarget.valueAsNumber;
          }}
        />
      </label>
      <div class="segmented">
        <button
          type="button"
          class="icon-only"
          aria-label={words.undo}
          title={words.undo}
          disabled={!canvas.canUndo.value}
          onClick={() => canvas.undo()}
        >
          <Icon name="undo" />
        </button>
        <button
          type="button"
          class="icon-only"
          aria-label={words.redo}
          title={words.redo}
          disabled={!canvas.canRedo.value}
          onClick={() => canvas.redo()}
        >
          <Icon name="redo" />
        </button>
        <button
          type="button"
          class="icon-only"
          aria-label={words.clear}
          title={words.clear}
          onClick={() => canvas.clear()}
        >
          <Icon name="clear" />
        </button>
      </div>
    </div>
  );
}
