/** The output on the stage: what comes out, its wipe, and what is not as usual. */

import type { ComponentChildren } from "preact";
import { strings } from "../../languages/strings";
import type { Spot } from "../../studio/stage";
import type { Studio } from "../../studio/studio";
import { MixSlider } from "../widgets/mix_slider";
import { Mount } from "../widgets/mount";

interface OutputPictureProps {
  studio: Studio;
  spot: Spot;
  children: ComponentChildren;
}

export function OutputPicture({ studio, spot, children }: OutputPictureProps) {
  const { client, view } = studio;
  const isOver = spot === "over" && !view.isCut.value;
  const isPast = studio.keep.moments.value !== null;
  const shown = view.isCut.value ? studio.cut : isPast ? studio.keep.past : client.player.view.value;
  return (
    <section
      class="picture output"
      aria-label={strings.panes.output}
      data-spot={spot}
      data-over={isOver ? view.blend.value : "none"}
      data-cut={view.isCut.value}
      style={{ "--wipe": view.wipe.value, "--opacity": view.opacity.value }}
    >
      <Mount element={shown} label={strings.panes.output} />
      {!client.player.hasPicture.value && !view.isCut.value && <p class="waiting">{strings.panes.waiting}</p>}
      {isOver && view.blend.value === "wipe" && <MixSlider view={view} class="wipe" />}
      <Badges studio={studio} />
      {children}
    </section>
  );
}

/** Says aloud what is not as usual on the screen. */
function Badges({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  return (
    <div class="badges" role="status">
      {view.isPanicked.value && <p class="badge danger">{strings.panes.panicked}</p>}
      {view.isBypassed.value && <p class="badge">{strings.panes.bypassed}</p>}
      {studio.keep.moments.value && <p class="badge">{strings.keep.past}</p>}
      {client.server.isFrozen.value && <p class="badge">{strings.panes.frozen}</p>}
    </div>
  );
}
