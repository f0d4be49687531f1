/** The column on the right of the drawing surface: the tool's options, the layers, and what becomes of the drawing. */

import type { Studio } from "../../studio/studio";
import { DrawingKeeping } from "./drawing_keeping";
import { LayerList } from "./layer_list";
import { ToolOptions } from "./tool_options";

export function DrawSide({ studio }: { studio: Studio }) {
  return (
    <div class="draw-side" data-draw-keys="true">
      <ToolOptions client={studio.client} />
      <LayerList client={studio.client} />
      <DrawingKeeping studio={studio} />
    </div>
  );
}
