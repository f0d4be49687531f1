/** The picture of a moment at five strengths, over the stage and large enough to judge; a click takes one. */

import { strings } from "../../languages/strings";
import { STRENGTHS } from "../../looks/preview";
import type { Studio } from "../../studio/studio";
import { IconButton } from "../widgets/icon_button";

export function StrengthStrip({ studio: { client, previews: { tries } } }: { studio: Studio }) {
  const words = strings.preview;
  const pictures = tries.pictures.value;
  if (!pictures) return null;
  const put = (place: HTMLElement | null, canvas: HTMLCanvasElement | null) => {
    if (place && canvas && canvas.parentElement !== place) place.replaceChildren(canvas);
  };
  return (
    <div
      class="strip"
      role="group"
      aria-label={words.title}
      onKeyDown={(event) => {
        if (event.key === "Escape") tries.close();
      }}
    >
      {STRENGTHS.map((strength, index) => (
        <button
          key={strength}
          type="button"
          aria-label={words.use(String(strength))}
          aria-pressed={client.params.shown.value.strength === strength}
          disabled={!pictures[index]}
          onClick={() => client.params.edit("strength", strength, "sliding")}
        >
          <div ref={(place) => put(place, pictures[index] ?? null)} />
          <span aria-hidden="true">{strength}</span>
        </button>
      ))}
      <IconButton icon="close" label={strings.close} press={() => tries.close()} />
    </div>
  );
}
