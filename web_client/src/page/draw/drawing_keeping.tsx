/** What becomes of the drawing: the result as a layer of it, a large still, files. */

import { signal } from "@preact/signals";
import { isFull } from "../../draw/layers";
import { strings } from "../../languages/strings";
import type { DrawingCanvas } from "../../sources/canvas";
import type { Client } from "../../studio/client";
import { LargeStill, scalesOf } from "../../studio/large_still";
import { FileButton } from "../widgets/file_button";
import { IconButton } from "../widgets/icon_button";
import { Icon } from "../widgets/icons";

/** Pictures, and drawings of other programs. */
const ACCEPT = "image/*,.ora";
/** By which a side grows; null: as it fits. */
const chosen = signal<number | null>(null);
let still: LargeStill | null = null;

export function DrawingKeeping({ client, canvas }: { client: Client; canvas: DrawingCanvas }) {
  const words = strings.drawing;
  return (
    <div class="drawing-keeping" role="group" aria-label={words.label}>
      <button
        type="button"
        title={words.useHint}
        disabled={!client.player.hasPicture.value}
        onClick={() => void useAsLayer(client, canvas)}
      >
        <Icon name="inset" />
        {words.use}
      </button>
      <SaveLarge client={client} />
      <div class="layer-buttons">
        <FileButton
          class="icon-only"
          accept={ACCEPT}
          label={strings.layers.import}
          title={strings.layers.importHint}
          disabled={isFull(canvas.drawing.layers.value)}
          take={(file) => void client.inputs.open(file)}
        >
          <Icon name="file" />
        </FileButton>
        <IconButton icon="sheet" label={strings.layers.begin} press={() => canvas.drawing.begin()} />
        <IconButton icon="snapshot" label={strings.layers.save} press={() => void client.saveDrawing()} />
        <IconButton icon="layers" label={words.ora} press={() => void saveOra(client, canvas)} />
      </div>
    </div>
  );
}

function SaveLarge({ client }: { client: Client }) {
  still ??= new LargeStill(client);
  const words = strings.drawing;
  const progress = still.progress.value;
  if (progress) {
    return (
      <div class="save-large" role="status">
        <progress aria-label={words.large} max={progress.of} value={progress.done} />
        <IconButton icon="close" label={words.cancel} press={() => still?.cancel()} />
      </div>
    );
  }
  const { width, height } = client.shape.value;
  const { scales, best } = scalesOf(width, height);
  const scale = scales.includes(chosen.value ?? 0) ? (chosen.value ?? best) : best;
  const size = (by: number) => `${width * by} × ${height * by}`;
  return (
    <div class="segmented save-large">
      <button
        type="button"
        title={words.largeHint(size(scale))}
        disabled={client.connection.status.value.state !== "open" || scales.length === 0}
        onClick={() => void still?.save(scale)}
      >
        <Icon name="enlarge" />
        {words.large}
      </button>
      <select
        aria-label={words.largeSize}
        value={scale}
        onChange={(event) => {
          chosen.value = Number(event.currentTarget.value);
        }}
      >
        {scales.map((by) => (
          <option key={by} value={by}>
            {size(by)}
          </option>
        ))}
      </select>
    </div>
  );
}

async function useAsLayer(client: Client, canvas: DrawingCanvas): Promise<void> {
  const picture = client.player.picture();
  if (!picture) return;
  try {
    await canvas.addCopy(picture);
  } catch {
    client.problems.mention("layersFull");
  }
}

async function saveOra(client: Client, { drawing }: DrawingCanvas): Promise<void> {
  const { toOra } = await import("../../draw/file/open_raster");
  const nameOf = ({ kind, id }: { kind: "drawing" | "picture"; id: number }) => strings.layers.name(kind, id);
  client.save(await toOra(drawing, nameOf), "drawing", "ora");
}
