/** The column on the right of the drawing surface: the tool's options, the layers, and what becomes of the drawing. */

import type { DrawingCanvas } from "../../sources/canvas";
import type { Studio } from "../../studio/studio";
import { DrawingKeeping } from "./drawing_keeping";
import { LayerList } from "./layer_list";
import { ToolOptions } from "./tool_options";

export function DrawSide({ studio, canvas }: { studio: Studio; canvas: DrawingCanvas }) {
  return (
    <div class="draw-side" data-draw-keys="true">
      <ToolOptions client={studio.client} canvas={canvas} />
      <LayerList drawing={canvas.drawing} />
      <DrawingKeeping client={studio.client} canvas={canvas} />
    </div>
  );
}
