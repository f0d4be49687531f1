/** The picture of this moment at five strengths; a click takes one. */

import { useSignal } from "@preact/signals";
import { strings } from "../../languages/strings";
import { STRENGTHS } from "../../looks/preview";
import { mimeTypes } from "../../protocol";
import type { Studio } from "../../studio/studio";

export function PreviewStrip({ studio }: { studio: Studio }) {
  const words = strings.preview;
  const isBusy = useSignal(false);
  const canvases = useSignal<(HTMLCanvasElement | null)[]>([]);
  const put = (place: HTMLElement | null, canvas: HTMLCanvasElement | null) => {
    if (place && canvas && canvas.parentElement !== place) place.replaceChildren(canvas);
  };
  const run = async () => {
    isBusy.value = true;
    canvases.value = [];
    await studio.preview(async (index, frame) => {
      const bitmap = await createImageBitmap(new Blob([frame.payload], { type: mimeTypes[frame.format] }));
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
      bitmap.close();
      canvases.value = STRENGTHS.map((_, each) => (each === index ? canvas : (canvases.value[each] ?? null)));
    });
    isBusy.value = false;
  };
  return (
    <div class="preview">
      <button type="button" disabled={isBusy.value} onClick={() => void run()}>
        {isBusy.value ? words.busy : words.title}
      </button>
      {canvases.value.length > 0 && (
        <div class="strip" role="group" aria-label={words.title}>
          {STRENGTHS.map((strength, index) => (
            <button
              key={strength}
              type="button"
              aria-label={words.use(String(strength))}
              disabled={!canvases.value[index]}
              onClick={() => studio.client.params.edit("strength", strength, "sliding")}
            >
              <div ref={(place) => put(place, canvases.value[index] ?? null)} />
              <span aria-hidden="true">{strength}</span>
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
