/** The list of the drawing's layers, the topmost first. */

import type { Drawing } from "../../draw/drawing";
import { activate, change, isFull, type Layer, remove, shift } from "../../draw/layers";
import { strings } from "../../languages/strings";
import type { Client } from "../../studio/client";
import { FileButton } from "../widgets/file_button";
import { IconButton } from "../widgets/icon_button";
import { Icon } from "../widgets/icons";

export function LayerList({ client }: { client: Client }) {
  const words = strings.layers;
  const { drawing } = client.inputs.canvas;
  const layers = drawing.layers.value;
  return (
    <details class="layers" open>
      <summary>{words.title(layers.stack.length)}</summary>
      <ol>
        {[...layers.stack].reverse().map((layer) => (
          <LayerRow key={layer.id} drawing={drawing} layer={layer} isActive={layer.id === layers.activeId} />
        ))}
      </ol>
      <div class="tools">
        <button
          type="button"
          title={`${words.add} (N)`}
          disabled={isFull(layers)}
          onClick={() => drawing.addLayer()}
        >
          <Icon name="plus" />
          {words.add}
        </button>
        <FileButton
          accept="image/*"
          title={words.importHint}
          disabled={isFull(layers)}
          take={(file) => void client.inputs.open(file)}
        >
          <Icon name="file" />
          {words.import}
        </FileButton>
        <IconButton icon="snapshot" label={words.save} press={() => void client.saveDrawing()} />
        <IconButton icon="sheet" label={words.begin} press={() => drawing.begin()} />
      </div>
    </details>
  );
}

function LayerRow({ drawing, layer, isActive }: { drawing: Drawing; layer: Layer; isActive: boolean }) {
  const words = strings.layers;
  const { id, kind, isVisible, opacity } = layer;
  const name = words.name(kind, id);
  const { stack } = drawing.layers.value;
  const index = stack.indexOf(layer);
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
          drawing.arrange(`slide ${id}`, (layers) => change(layers, id, changed));
        }}
      />
      <div class="segmented">
        <IconButton
          icon="up"
          label={words.up(name)}
          isOff={index === stack.length - 1}
          press={() => drawing.arrange("shift", (layers) => shift(layers, id, 1))}
        />
        <IconButton
          icon="down"
          label={words.down(name)}
          isOff={index === 0}
          press={() => drawing.arrange("shift", (layers) => shift(layers, id, -1))}
        />
        <IconButton
          icon="clear"
          label={words.remove(name)}
          isOff={stack.length === 1}
          press={() => drawing.arrange("remove", (layers) => remove(layers, id))}
        />
      </div>
    </li>
  );
}
