/** The list of the drawing's layers, the topmost first, and what is done with the one in use. */

import type { Drawing } from "../../draw/drawing";
import { activate, activeLayer, change, isFull, type Layer, type Layers, remove, shift } from "../../draw/layers";
import { strings } from "../../languages/strings";
import { IconButton } from "../widgets/icon_button";

/** Where the list would push what is below it out of sight. */
function isNarrow(): boolean {
  return matchMedia("(max-width: 639px), (max-height: 500px)").matches;
}

export function LayerList({ drawing }: { drawing: Drawing }) {
  const words = strings.layers;
  const layers = drawing.layers.value;
  return (
    <details class="layers" open={!isNarrow()}>
      <summary>{words.title(layers.stack.length)}</summary>
      <ol>
        {[...layers.stack].reverse().map((layer) => (
          <LayerRow key={layer.id} drawing={drawing} layer={layer} isActive={layer.id === layers.activeId} />
        ))}
      </ol>
      <ActiveLayer drawing={drawing} layers={layers} />
    </details>
  );
}

function LayerRow({ drawing, layer, isActive }: { drawing: Drawing; layer: Layer; isActive: boolean }) {
  const words = strings.layers;
  const { id, kind, isVisible } = layer;
  const name = words.name(kind, id);
  return (
    <li data-active={isActive}>
      <IconButton
        icon={isVisible ? "shown" : "unseen"}
        label={words.visible(name)}
        isPressed={isVisible}
        press={() => drawing.arrange("show", (layers) => change(layers, id, { isVisible: !isVisible }))}
      />
      <button
        type="button"
        class="layer-name"
        aria-pressed={isActive}
        onClick={() => drawing.select(activate(drawing.layers.peek(), id))}
      >
        {name}
      </button>
    </li>
  );
}

function ActiveLayer({ drawing, layers }: { drawing: Drawing; layers: Layers }) {
  const words = strings.layers;
  const layer = activeLayer(layers);
  const { id, kind, opacity } = layer;
  const name = words.name(kind, id);
  const index = layers.stack.indexOf(layer);
  return (
    <div class="active-layer">
      <input
        type="range"
        aria-label={words.opacity(name)}
        title={words.opacity(name)}
        min={0}
        max={100}
        step={5}
        value={Math.round(opacity * 100)}
        onInput={(event) => {
          const changed = { opacity: event.currentTarget.valueAsNumber / 100 };
          drawing.arrange(`slide ${id}`, (before) => change(before, id, changed));
        }}
      />
      <div class="layer-buttons">
        <IconButton icon="plus" label={words.add} shortcut="N" isOff={isFull(layers)} press={() => drawing.addLayer()} />
        <IconButton
          icon="up"
          label={words.up(name)}
          isOff={index === layers.stack.length - 1}
          press={() => drawing.arrange("shift", (before) => shift(before, id, 1))}
        />
        <IconButton
          icon="down"
          label={words.down(name)}
          isOff={index === 0}
          press={() => drawing.arrange("shift", (before) => shift(before, id, -1))}
        />
        <IconButton
          icon="clear"
          label={words.remove(name)}
          isOff={layers.stack.length === 1}
          press={() => drawing.arrange("remove", (before) => remove(before, id))}
        />
      </div>
    </div>
  );
}
