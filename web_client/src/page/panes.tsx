/** The workspace: what goes in, the stage with both pictures, and what is done with the one that comes out. */

import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect } from "preact/hooks";
import { strings } from "../languages/strings";
import { blends, layouts } from "../program/mix";
import type { Studio } from "../studio/studio";
import type { View } from "../studio/view";
import { SourceBar } from "./input/source_bar";
import { Messages } from "./messages";
import { OutputTools } from "./output/output_tools";
import { Stage } from "./stage";
import { IconButton } from "./widgets/icon_button";
import { Icon } from "./widgets/icons";
import { later } from "./widgets/later";
import { MixSlider } from "./widgets/mix_slider";

type DrawSheet = typeof import("./draw/sheet");

/** What one draws with, which is loaded when somebody does for the first time. */
const sheet = signal<DrawSheet | null>(null);

// What stands in their places has their height: the stage doesn't jump.
const LoadedDecksBar = later(async () => (await import("./input/decks_bar")).DecksBar, <div class="decks" />);
const LoadedPerformBar = later(async () => (await import("./show/perform_bar")).PerformBar, <div class="perform" />);

export function Panes({ studio }: { studio: Studio }) {
  const { client, view } = studio;
  const { width, height } = client.shape.value;
  const kind = client.inputs.kind.value;
  const { canvas } = client.inputs;
  const draws = kind === "canvas" && canvas && sheet.value;
  useLayoutEffect(() => {
    if (kind === "canvas") void import("./draw/sheet").then((loaded) => (sheet.value = loaded));
  }, [kind]);
  useLayoutEffect(() => (draws ? draws.bindDrawKeys(canvas) : undefined), [draws]);
  return (
    <div
      class="panes"
      data-kind={kind ?? "none"}
      style={{ "--shape": `${width} / ${height}`, "--ratio": `${width / height}` }}
    >
      <div class="stage-head">
        {(kind || client.inputs.mixed.value) && !view.showsDecks.value && <SourceBar inputs={client.inputs} kind={kind} />}
        {view.layout.value === "over" && <Blending view={view} />}
        <div class="views">
          <IconButton
            icon="decks"
            label="Decks"
            shortcut="D"
            isPressed={view.showsDecks.value}
            press={studio.actions.decks}
          />
          <button
            type="button"
            class="icon-only"
            aria-label={strings.presets.pads}
            title={strings.presets.pads}
            aria-pressed={view.showsPads.value}
            onClick={() => {
              view.showsPads.value = !view.showsPads.value;
            }}
          >
            <Icon name="pads" />
          </button>
          <Layouts view={view} />
        </div>
      </div>
      {draws && <draws.DrawTools canvas={canvas} />}
      <Stage studio={studio} />
      <Messages studio={studio} />
      {draws && <draws.DrawSide studio={studio} canvas={canvas} />}
      <OutputTools studio={studio} />
      {view.showsDecks.value && <Mixing studio={studio} />}
      {view.showsPads.value && <Performing studio={studio} />}
    </div>
  );
}

/** Both decks and the clips. */
function Mixing({ studio }: { studio: Studio }) {
  const decks = studio.mixer.decks.value;
  useEffect(() => void studio.mixer.open(), []);
  return decks ? <LoadedDecksBar studio={studio} decks={decks} /> : <div class="decks" />;
}

/** The pads and the beat, which come when the page has a session. */
function Performing({ studio }: { studio: Studio }) {
  const show = studio.show.value;
  return show ? <LoadedPerformBar studio={studio} show={show} /> : <div class="perform" />;
}

function Layouts({ view }: { view: View }) {
  return (
    <div class="segmented layouts" data-midi="layout" role="group" aria-label={strings.panes.layout}>
      {layouts.map((layout) => (
        <button
          key={layout}
          type="button"
          aria-pressed={view.layout.value === layout}
          aria-label={strings.panes[layout]}
          title={`${strings.panes[layout]} (L)`}
          onClick={() => {
            view.layout.value = layout;
          }}
        >
          <Icon name={layout} />
          <span class="label">{strings.panes[layout]}</span>
        </button>
      ))}
    </div>
  );
}

function Blending({ view }: { view: View }) {
  return (
    <div class="blending">
      {view.blend.value === "opacity" && <MixSlider view={view} class="opacity" />}
      <div class="segmented" role="group" aria-label={strings.panes.blend}>
        {blends.map((blend) => (
          <button
            key={blend}
            type="button"
            aria-pressed={view.blend.value === blend}
            onClick={() => {
              view.blend.value = blend;
            }}
          >
            {strings.panes.blends[blend]}
          </button>
        ))}
      </div>
    </div>
  );
}
