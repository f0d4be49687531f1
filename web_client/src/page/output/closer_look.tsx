/** A style's picture, large, over the stage's corner beside the styles. Nothing can be pressed on it. */

import { useEffect } from "preact/hooks";
import type { Studio } from "../../studio/studio";
import { CanvasCopy } from "../widgets/canvas_copy";
import { Thumb } from "../widgets/thumb";

export function StyleLarge({ studio: { client, previews: { closerLook, tiles } } }: { studio: Studio }) {
  const shown = closerLook.shown.value;
  const isShown = shown !== null;
  useEffect(() => {
    if (!isShown) return;
    const close = ({ key }: KeyboardEvent) => key === "Escape" && closerLook.end();
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [isShown]);
  if (!shown) return null;
  const canvas = shown.style === undefined ? undefined : tiles.pictures.value.get(shown.style);
  if (shown.style !== undefined && !canvas) return null;
  return (
    <figure class="closer-look" aria-hidden="true">
      {shown.picture !== undefined ? <Thumb pictures={client.pictures} id={shown.picture} label="" /> : <CanvasCopy of={canvas} />}
      <figcaption>{shown.name}</figcaption>
    </figure>
  );
}
